"""The attention panel: one head's map, the layer's heads, and what the selected query looks at."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QStackedWidget, QWidget

from widgets.attention.attention_map import MapPlot
from widgets.attention.data import (
    AttentionMap,
    CellValues,
    HeadGallery,
    Quantity,
    Reduction,
    RowProfile,
    ScoreParts,
    WantedRange,
)
from widgets.attention.head_gallery import Thumbnails
from widgets.attention.map_layout import ideal_width
from widgets.attention.part_maps import PartMaps, looks_by
from widgets.attention.readout import cell_text, row_text, sentence, stage_text
from widgets.attention.row_profile import RowBars
from widgets.attention.side_column import SideColumn
from widgets.attention.token_axis import label_text
from widgets.palette import DARK, Palette
from widgets.panel import Panel
from widgets.segmented import Segmented
from widgets.selection import Selection
from widgets.token_text import visible

THROTTLE_MILLISECONDS = 60
HIDE_BELOW = 420
MARGIN = 14


class AttentionView(Panel):
    """Attention of one layer: a map that zooms, a gallery of heads, a row profile; or content against position.

    Signals: `token_chosen(int)`, `pair_chosen(int, int)` (query and key of a clicked cell), `head_chosen(int)`,
    `quantity_chosen(str)` (a quantity, or `both`), `reduction_chosen(str)`, `exact_chosen(bool)`;
    `hovered_text(str)`, empty when the mouse leaves; `cell_hovered(object)`, the (query, key) under the cursor or
    None, for which `show_hovered_cell` is hoped; `range_wanted(object)`, a WantedRange, at most every 60 ms while
    zooming, panning or resizing.
    """

    token_chosen = Signal(int)
    pair_chosen = Signal(int, int)
    head_chosen = Signal(int)
    quantity_chosen = Signal(str)
    reduction_chosen = Signal(str)
    exact_chosen = Signal(bool)
    hovered_text = Signal(str)
    cell_hovered = Signal(object)
    range_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Attention"), parent)
        self._texts: Sequence[str] = ()
        self._map: AttentionMap | None = None
        self._gallery: HeadGallery | None = None
        self._row: RowProfile | None = None
        self._hovered: CellValues | None = None
        self._parts: ScoreParts | None = None
        self._cell: tuple[int, int] | None = None  # under the cursor
        self._quantity = "probability"
        self._selection = Selection()
        self._palette: Palette = DARK
        self._asked: WantedRange | None = None
        self._plot, self._thumbnails, self._bars = MapPlot(), Thumbnails(), RowBars()
        self._body = _Body(self._plot, SideColumn(self._thumbnails, self._bars))
        self._both = PartMaps()
        self._ways = QStackedWidget()
        self._ways.addWidget(self._body)
        self._ways.addWidget(self._both)
        self.set_body(self._ways)
        self._reductions = Segmented([("max", self.tr("max")), ("mean", self.tr("mean")), ("sum", self.tr("sum"))])
        self._quantities = Segmented(
            [
                ("probability", self.tr("probability")),
                ("content", self.tr("content")),
                ("position", self.tr("position")),
                ("both", self.tr("both")),
            ]
        )
        self._reductions.setAccessibleName(self.tr("How tokens that share a cell are combined"))
        self._quantities.setAccessibleName(self.tr("Quantity"))
        self._exact = QPushButton(self.tr("float32"))
        self._exact.setCheckable(True)
        self._exact.setProperty("segment", "only")
        self._exact.setToolTip(self.tr("Compute in float32: exact, and slower than bf16"))
        self._exact.setAccessibleName(self.tr("Exact, in float32"))
        self.add_tool(self._exact)
        self.add_tool(self._reductions)
        self.add_tool(self._quantities)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(THROTTLE_MILLISECONDS)
        self._connect()
        self.clear()

    def show_tokens(self, texts: Sequence[str]) -> None:
        """All tokens so far; the same sequence may grow."""
        self._texts = texts
        self._plot.show_tokens(texts)
        self._both.show_tokens(texts)
        self._bars.show_tokens(texts)

    def show_map(self, shown: AttentionMap) -> None:
        """Draw a map in the place of its tokens; the one before stays under it until then."""
        self._map = shown
        self._plot.show_map(shown)
        self._show_tools(shown)
        if self._quantity != "both":
            self.show_sentence(sentence(shown))
            self._plot.setAccessibleDescription(sentence(shown))

    def show_part_map(self, shown: AttentionMap) -> None:
        """Draw the content or the position scores, side by side with the other."""
        self._both.show_map(shown)
        if self._quantity == "both":
            self._show_tools(shown)
            self._say_both(shown)

    def show_parts(self, parts: ScoreParts | None) -> None:
        """What content and position explain of the scores of the selected head."""
        if parts is self._parts and parts is not None:
            return
        self._parts = parts
        self._both.show_parts(parts)
        shown = self._both.content.shown_map()
        if self._quantity == "both" and shown is not None:
            self._say_both(shown)

    def show_gallery(self, gallery: HeadGallery) -> None:
        """Draw the layer's heads."""
        self._gallery = gallery
        before = self._thumbnails.count()
        self._thumbnails.show_gallery(gallery)
        if len(gallery.heads) != before:
            self._body.side.arrange()
        self._show_titles()

    def show_row(self, row: RowProfile | None) -> None:
        """Draw one query's strongest keys, or a word on how to choose one."""
        self._row = row
        self._bars.show_row(row, self._bar_quantity())
        self._show_titles()

    def show_hovered_cell(self, cell: CellValues | None) -> None:
        """The cell under the cursor, to be read out in full."""
        self._hovered = cell
        if self._cell is not None:
            self._read_out()

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected query's row and the selected head."""
        moved = selection.head != self._selection.head
        self._selection = selection
        self._plot.show_query(selection.token)
        self._both.show_query(selection.token)
        self._thumbnails.show_head(selection.head)
        if moved:
            self._body.side.reveal(selection.head)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        for part in (self._plot, self._thumbnails, self._bars, self._both):
            part.show_palette(palette)

    def show_quantity(self, quantity: str) -> None:
        """Mark what is asked for, a quantity or `both` scores side by side; the maps follow when they arrive."""
        if quantity == self._quantity:
            return
        before, self._quantity = self._quantity, quantity
        self._quantities.show_choice(quantity)
        self._bars.show_row(self._row, self._bar_quantity())
        if quantity == "both":
            self._both.content.show_zoom(self._plot.zoom())
            self._both.position.show_zoom(self._plot.zoom())
        elif before == "both":
            self._plot.show_zoom(self._both.content.zoom())
        self._ways.setCurrentIndex(1 if quantity == "both" else 0)

    def show_reduction(self, reduction: Reduction) -> None:
        """Mark how tokens that share a cell are combined."""
        self._reductions.show_choice(reduction)

    def show_exact(self, exact: bool) -> None:
        """Mark whether float32 is asked for."""
        self._exact.setChecked(exact)

    def clear(self, hint: str = "") -> None:
        """Forget everything; the hint says what will appear."""
        self._texts, self._map, self._gallery, self._row, self._asked = (), None, None, None, None
        self._cell, self._hovered, self._parts = None, None, None
        self._plot.clear()
        self._both.clear()
        self._thumbnails.show_gallery(None)
        self._bars.show_tokens(())
        self.show_row(None)
        self._reductions.hide()
        self._exact.hide()
        self.show_hint(hint or self.tr("Which token looks at which appears here as soon as the model reads a prompt."))

    def wanted(self) -> WantedRange:
        """The cells in view now; the whole square unless someone zoomed in."""
        return self.shown_plot().wanted()

    def fit(self) -> None:
        """Show the whole square again."""
        self.shown_plot().fit()

    def _connect(self) -> None:
        self._plot.query_chosen.connect(self.token_chosen)
        self._plot.pair_chosen.connect(self.pair_chosen)
        self._plot.head_stepped.connect(self._step_head)
        self._plot.cell_hovered.connect(self._tell_cell)
        self._plot.view_moved.connect(self._ask_soon)
        self._both.query_chosen.connect(self.token_chosen)
        self._both.cell_hovered.connect(self._tell_cell)
        self._both.view_moved.connect(self._ask_soon)
        self._thumbnails.head_chosen.connect(self.head_chosen)
        self._thumbnails.head_hovered.connect(self._tell_head)
        self._bars.key_chosen.connect(self.token_chosen)
        self._bars.key_hovered.connect(self._tell_key)
        self._quantities.chosen.connect(self.quantity_chosen)
        self._reductions.chosen.connect(self.reduction_chosen)
        self._exact.clicked.connect(self.exact_chosen)
        self._timer.timeout.connect(self._ask)

    def _ask_soon(self) -> None:
        if self._texts and not self._timer.isActive():
            self._timer.start()

    def _ask(self) -> None:
        wanted = self.wanted()
        if self._texts and wanted != self._asked:
            self._asked = wanted
            self.range_wanted.emit(wanted)

    def _step_head(self, step: int) -> None:
        if self._gallery is None or self._selection.head not in self._gallery.heads:
            return
        target = self._gallery.heads.index(self._selection.head) + step
        if 0 <= target < len(self._gallery.heads):
            self.head_chosen.emit(self._gallery.heads[target])

    def _show_tools(self, shown: AttentionMap) -> None:
        """Only the switches that would change something here."""
        self._reductions.setVisible(shown.is_reduced())
        self._reductions.set_option_enabled("sum", shown.quantity == "probability")
        stage = shown.stage
        self._exact.setVisible(self._exact.isChecked() or (stage is not None and stage.arithmetic == "bf16"))

    def shown_plot(self) -> MapPlot:
        """The map on screen; of two side by side that of content."""
        return self._both.content if self._quantity == "both" else self._plot

    def _bar_quantity(self) -> Quantity:
        return (
            "content" if self._quantity == "content" else "position" if self._quantity == "position" else "probability"
        )

    def _say_both(self, shown: AttentionMap) -> None:
        parts = self._parts
        said = sentence(replace(shown, quantity="probability"))
        if parts is not None and (parts.layer, parts.head) == (shown.layer, shown.head) and looks_by(parts):
            words = looks_by(parts) if parts.stage is None else f"{looks_by(parts)} ({stage_text(parts.stage)})"
            said = f"{words} · {said}"  # the number first: a narrow panel cuts the end
        self.show_sentence(said)

    def _tell_cell(self, cell: tuple[int, int] | None) -> None:
        self._cell = cell
        self.cell_hovered.emit(cell if cell is None or cell[1] <= cell[0] else None)
        self._read_out()

    def _read_out(self) -> None:
        shown = self.shown_plot().shown_map()
        if self._cell is None or shown is None:
            self.hovered_text.emit("")
            return
        query, key = self._cell
        told = cell_text(shown, self._texts, query=query, key=key, row=self._row, cell=self._hovered)
        self.hovered_text.emit(told)

    def _tell_head(self, head: int | None) -> None:
        layer = self._gallery.layer if self._gallery is not None else self._selection.layer
        self.hovered_text.emit("" if head is None else self.tr("layer {0} · head {1}").format(layer, head))

    def _tell_key(self, key: int | None) -> None:
        if key is None or self._row is None or key >= len(self._texts):
            self.hovered_text.emit("")
            return
        pair = self.tr("query {0} “{1}” → key {2} “{3}”").format(
            self._row.query, self._token(self._row.query), key, self._token(key)
        )
        self.hovered_text.emit(pair + "  " + row_text(self._row, key))

    def _show_titles(self) -> None:
        heads = self.tr("HEADS OF LAYER {0}").format(self._gallery.layer) if self._gallery is not None else ""
        query = label_text(self._texts, self._row.query) if self._row is not None else ""
        row = self.tr("QUERY “{0}” LOOKS AT").format(query) if self._row is not None else self.tr("QUERY LOOKS AT")
        self._body.side.show_titles(heads, row)

    def _token(self, token: int) -> str:
        return visible(self._texts[token]) if token < len(self._texts) else "…"


class _Body(QWidget):
    """Map and side column side by side; the column goes when there is no room for both."""

    def __init__(self, plot: MapPlot, side: SideColumn) -> None:
        super().__init__()
        self._plot, self.side = plot, side
        plot.setParent(self)
        side.setParent(self)
        self.setMinimumSize(200, 160)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width, height = self.width(), self.height()
        if width < HIDE_BELOW:
            self.side.hide()
            self._plot.setGeometry(0, 0, width, height)
            return
        spare = width - ideal_width(height)
        column = int(min(max(spare - MARGIN, width * 0.31, 150), width * 0.48, 520))
        self._plot.setGeometry(0, 0, width - column - MARGIN, height)
        self.side.setGeometry(width - column - MARGIN, 12, column, height - 22)
        self.side.show()
