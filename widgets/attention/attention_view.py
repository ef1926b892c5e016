"""The attention panel: one head's map, the layer's heads, and what the selected query looks at."""

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from widgets.attention.attention_map import MapPlot
from widgets.attention.data import AttentionMap, HeadGallery, Quantity, Reduction, RowProfile, WantedRange
from widgets.attention.head_gallery import Thumbnails
from widgets.attention.map_layout import ideal_width
from widgets.attention.readout import cell_text, row_text, sentence
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
    """Attention of one layer: a map that zooms, a gallery of heads, a row profile.

    Signals: `token_chosen(int)`, `head_chosen(int)`, `quantity_chosen(str)`, `reduction_chosen(str)`;
    `hovered_text(str)`, empty when the mouse leaves; `query_hovered(object)`, the row under the cursor or None, for
    which `show_hovered_row` is hoped; `range_wanted(object)`, a WantedRange, at most every 60 ms
    while zooming, panning or resizing.
    """

    token_chosen = Signal(int)
    head_chosen = Signal(int)
    quantity_chosen = Signal(str)
    reduction_chosen = Signal(str)
    hovered_text = Signal(str)
    query_hovered = Signal(object)
    range_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Attention"), parent)
        self._texts: Sequence[str] = ()
        self._map: AttentionMap | None = None
        self._gallery: HeadGallery | None = None
        self._row: RowProfile | None = None
        self._hovered_row: RowProfile | None = None
        self._cell: tuple[int, int] | None = None  # under the cursor
        self._quantity: Quantity = "probability"
        self._selection = Selection()
        self._palette: Palette = DARK
        self._asked: WantedRange | None = None
        self._plot, self._thumbnails, self._bars = MapPlot(), Thumbnails(), RowBars()
        self._body = _Body(self._plot, SideColumn(self._thumbnails, self._bars))
        self.set_body(self._body)
        self._reductions = Segmented([("max", self.tr("max")), ("mean", self.tr("mean"))])
        self._quantities = Segmented(
            [
                ("probability", self.tr("probability")),
                ("content", self.tr("content")),
                ("position", self.tr("position")),
            ]
        )
        self._reductions.setAccessibleName(self.tr("How tokens that share a cell are combined"))
        self._quantities.setAccessibleName(self.tr("Quantity"))
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
        self._bars.show_tokens(texts)

    def show_map(self, shown: AttentionMap) -> None:
        """Draw a map in the place of its tokens; the one before stays under it until then."""
        self._map = shown
        self._plot.show_map(shown)
        self._reductions.setVisible(shown.is_reduced())
        self.show_sentence(sentence(shown))
        self._plot.setAccessibleDescription(sentence(shown))

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
        self._bars.show_row(row, self._quantity)
        self._show_titles()

    def show_hovered_row(self, row: RowProfile | None) -> None:
        """The profile of the query under the cursor, so that its cell can be read out in full."""
        self._hovered_row = row
        if self._cell is not None:
            self._read_out()

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected query's row and the selected head."""
        moved = selection.head != self._selection.head
        self._selection = selection
        self._plot.show_query(selection.token)
        self._thumbnails.show_head(selection.head)
        if moved:
            self._body.side.reveal(selection.head)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        for part in (self._plot, self._thumbnails, self._bars):
            part.show_palette(palette)

    def show_quantity(self, quantity: Quantity) -> None:
        """Mark the quantity that is asked for; the map follows when it arrives."""
        self._quantity = quantity
        self._quantities.show_choice(quantity)
        self._bars.show_row(self._row, quantity)

    def show_reduction(self, reduction: Reduction) -> None:
        """Mark how tokens that share a cell are combined."""
        self._reductions.show_choice(reduction)

    def clear(self, hint: str = "") -> None:
        """Forget everything; the hint says what will appear."""
        self._texts, self._map, self._gallery, self._row, self._asked = (), None, None, None, None
        self._cell = self._hovered_row = None
        self._plot.clear()
        self._thumbnails.show_gallery(None)
        self._bars.show_tokens(())
        self.show_row(None)
        self._reductions.hide()
        self.show_hint(hint or self.tr("Which token looks at which appears here as soon as the model reads a prompt."))

    def wanted(self) -> WantedRange:
        """The cells in view now; the whole square unless someone zoomed in."""
        return self._plot.wanted()

    def fit(self) -> None:
        """Show the whole square again."""
        self._plot.fit()

    def _connect(self) -> None:
        self._plot.query_chosen.connect(self.token_chosen)
        self._plot.head_stepped.connect(self._step_head)
        self._plot.cell_hovered.connect(self._tell_cell)
        self._plot.view_moved.connect(self._ask_soon)
        self._thumbnails.head_chosen.connect(self.head_chosen)
        self._thumbnails.head_hovered.connect(self._tell_head)
        self._bars.key_chosen.connect(self.token_chosen)
        self._bars.key_hovered.connect(self._tell_key)
        self._quantities.chosen.connect(self.quantity_chosen)
        self._reductions.chosen.connect(self.reduction_chosen)
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

    def _tell_cell(self, cell: tuple[int, int] | None) -> None:
        self._cell = cell
        # Where tokens share a cell, the cell's own value is read out and no row of one token.
        exact = cell is not None and self._map is not None and not self._map.is_reduced()
        self.query_hovered.emit(cell[0] if cell is not None and exact else None)
        self._read_out()

    def _read_out(self) -> None:
        if self._cell is None or self._map is None:
            self.hovered_text.emit("")
            return
        query, key = self._cell
        rows = (self._row, self._hovered_row)
        self.hovered_text.emit(cell_text(self._map, self._texts, query=query, key=key, rows=rows))

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
