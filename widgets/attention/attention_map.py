"""The map of one head: queries down, keys across, zoomed and panned in tokens."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.attention.colour_scale import ColourScale
from widgets.attention.data import AttentionMap, WantedRange
from widgets.attention.map_layers import MapLayers
from widgets.attention.map_layout import MapLayout, lay_out
from widgets.attention.map_painting import (
    MapScene,
    paint_bar,
    paint_causal_edge,
    paint_cells,
    paint_labels,
    paint_marks,
)
from widgets.attention.minimap import MiniMap, minimap_side
from widgets.attention.readout import reduction_name
from widgets.attention.viewport import (
    Viewport,
    aligned,
    cell_size,
    centred,
    clamped,
    extent,
    panned,
    showing,
    token_range,
    whole,
    zoomed,
)
from widgets.palette import DARK, Palette

LABEL_PIXELS = 11
DRAG_PIXELS = 4
CLOSE_SPAN = 24.0  # tokens in view after a double click
KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class MapPlot(QWidget):
    """The map with its labels and its bar.

    Signals: `query_chosen(int)`; `pair_chosen(int, int)`, the query and the key of a clicked cell;
    `head_stepped(int)`, −1 or 1; `cell_hovered(object)`, (query, key) or None; `view_moved()` when zooming,
    panning or resizing changed what is visible.
    """

    query_chosen = Signal(int)
    pair_chosen = Signal(int, int)
    head_stepped = Signal(int)
    cell_hovered = Signal(object)
    view_moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Attention map"))
        self.setAccessibleDescription(
            self.tr("Up and down choose the query, left and right the head, plus and minus zoom, F shows all.")
        )
        self._palette: Palette = DARK
        self._texts: Sequence[str] = ()
        self._layers = MapLayers()
        self._query: int | None = None
        self._hover: tuple[int, int] | None = None
        self._zoom: Viewport | None = None  # None: everything, growing with the text
        self._pressed: QPointF | None = None
        self._dragged = False
        self._outlined = False
        self._mini = MiniMap(self)
        self._mini.centre_wanted.connect(self._centre)

    def show_tokens(self, texts: Sequence[str]) -> None:
        """All tokens so far."""
        shrunk = len(texts) < len(self._texts)
        self._texts = texts
        if shrunk:
            self._zoom, self._hover = None, None
        elif self._zoom is not None:
            self._zoom = clamped(self._zoom, len(texts))
        self._show_mini()
        self.update()

    def show_map(self, shown: AttentionMap) -> None:
        """Put a map in the place of its tokens."""
        self._layers.show_map(shown)
        self._show_mini()
        self.update()

    def show_query(self, query: int | None) -> None:
        """Frame a query's row, and bring it into view when zoomed in."""
        if query == self._query:
            return
        self._query = query
        if query is not None and self._zoom is not None:
            self._move(showing(self._zoom, query, len(self._texts)))
        self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self._layers.show_palette(palette)
        self._mini.show_palette(palette)
        self._show_mini()
        self.update()

    def clear(self) -> None:
        """Forget tokens, maps and zoom."""
        self._layers.clear()
        self._texts, self._query, self._zoom, self._hover = (), None, None, None
        self._show_mini()
        self.update()

    def shown_map(self) -> AttentionMap | None:
        """The newest map."""
        return self._layers.newest

    def scale(self) -> ColourScale:
        """How values become colours now."""
        return self._layers.scale

    def view(self) -> Viewport:
        """The square in view, in tokens."""
        return self._zoom or whole(len(self._texts))

    def layout_now(self) -> MapLayout:
        """Where the map lies in the widget now."""
        return lay_out(self.size())

    def wanted(self) -> WantedRange:
        """The tokens in view and how many may share a cell on this screen."""
        tokens, view = len(self._texts), self.view()
        pixels = self.layout_now().square.width() * self.devicePixelRatioF()
        cell = cell_size(math.ceil(view.span), pixels)
        return WantedRange(
            queries=aligned(token_range(view.top, view.span, tokens), cell),
            keys=aligned(token_range(view.left, view.span, tokens), cell),
            cell=(cell, cell),
            whole=self._zoom is None,
        )

    def zoom(self) -> Viewport | None:
        """The square someone zoomed to; None while everything is shown."""
        return self._zoom

    def show_zoom(self, zoom: Viewport | None) -> None:
        """Show the same part as another map; tells nobody."""
        if zoom != self._zoom:
            self._zoom = None if zoom is None else clamped(zoom, len(self._texts))
            self._show_mini()
            self.update()

    def fit(self) -> None:
        """Show everything again and follow the text."""
        if self._zoom is not None:
            self.show_zoom(None)
            self.view_moved.emit()

    def sizeHint(self) -> QSize:
        return QSize(380, 340)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, 150)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(LABEL_PIXELS)
        painter.setFont(font)
        scene = self._scene()
        paint_cells(painter, scene, self._layers.painted())
        if self._layers.scale.quantity != "probability":
            paint_causal_edge(painter, scene)
        paint_labels(painter, scene)
        newest = self._layers.newest
        if newest is None:
            paint_marks(painter, scene, (1, 1), (0, 0))
        else:
            paint_marks(painter, scene, newest.cell, (newest.queries[0], newest.keys[0]))
        paint_bar(painter, scene)
        if self._outlined:
            painter.setPen(self._palette.colour("faint"))
            painter.drawRect(scene.layout.square.adjusted(-4, -4, 3, 3))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_mini()
        self.view_moved.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        square = self.layout_now().square
        place = event.position()
        if not square.contains(place) or not self._texts:
            event.ignore()
            return
        factor = 1.0015 ** event.angleDelta().y()
        across = (place.x() - square.left()) / square.width()
        down = (place.y() - square.top()) / square.height()
        self._move(zoomed(self.view(), factor, across=across, down=down, tokens=len(self._texts)))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            self._hover_at(event.position())
            return
        moved = event.position() - self._pressed
        if self._dragged or moved.manhattanLength() > DRAG_PIXELS:
            self._dragged, self._pressed = True, event.position()
            self._drag(moved)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        clicked = self._pressed is not None and not self._dragged
        self._pressed = None
        self.unsetCursor()
        cell = self.layout_now().cell_at(self.view(), event.position(), len(self._texts))
        if clicked and cell is not None:
            self.query_chosen.emit(cell[0])
            self.pair_chosen.emit(*cell)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cell = self.layout_now().cell_at(self.view(), event.position(), len(self._texts))
        if cell is not None:
            span, tokens = min(CLOSE_SPAN, self.view().span), len(self._texts)
            self._move(centred(key=cell[1] + 0.5, query=cell[0] + 0.5, span=span, tokens=tokens))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        # Someone who clicked knows where they are; someone who pressed Tab needs to see it.
        self._outlined = event.reason() in KEYBOARD_REASONS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._outlined = False
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_F | Qt.Key.Key_0:
                self.fit()
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                self._step_query(-1 if event.key() == Qt.Key.Key_Up else 1)
            case Qt.Key.Key_Left | Qt.Key.Key_Right:
                self.head_stepped.emit(-1 if event.key() == Qt.Key.Key_Left else 1)
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal | Qt.Key.Key_Minus:
                self._zoom_keys(1 / 1.4 if event.key() == Qt.Key.Key_Minus else 1.4)
            case _:
                super().keyPressEvent(event)

    def _step_query(self, step: int) -> None:
        last = len(self._texts) - 1
        if last >= 0:
            self.query_chosen.emit(min(max((last + 1 if self._query is None else self._query) + step, 0), last))

    def _zoom_keys(self, factor: float) -> None:
        if self._texts:
            self._move(zoomed(self.view(), factor, across=0.5, down=0.5, tokens=len(self._texts)))

    def _drag(self, moved: QPointF) -> None:
        if self._zoom is None:
            return
        self.setCursor(Qt.CursorShape.ClosedHandCursor)
        scale = self._zoom.span / self.layout_now().square.width()
        self._move(
            panned(self._zoom, keys=-moved.x() * scale, queries=-moved.y() * scale, tokens=len(self._texts)),
        )

    def _move(self, view: Viewport) -> None:
        following = view.span >= extent(len(self._texts))
        chosen = None if following else view
        if chosen != self._zoom:
            self.show_zoom(chosen)
            self.view_moved.emit()

    def _centre(self, key: float, query: float) -> None:
        self._move(centred(key=key, query=query, span=self.view().span, tokens=len(self._texts)))

    def _show_mini(self) -> None:
        square = self.layout_now().square
        side = minimap_side(square.width())
        self._mini.setVisible(self._zoom is not None and side > 0)
        if not self._mini.isHidden():
            self._mini.setGeometry(int(square.right()) - side - 5, int(square.top()) + 6, side, side)
            self._mini.show_view(self.view(), len(self._texts), self._layers.overview())

    def _hover_at(self, point: QPointF) -> None:
        self._set_hover(self.layout_now().cell_at(self.view(), point, len(self._texts)))

    def _set_hover(self, cell: tuple[int, int] | None) -> None:
        if cell != self._hover:
            self._hover = cell
            self.update()
            self.cell_hovered.emit(cell)

    def _notes(self) -> tuple[str, ...]:
        name = self.tr("√ scale") if self._layers.scale.quantity == "probability" else self.tr("linear")
        newest = self._layers.newest
        if newest is None or not newest.is_reduced():
            return (name,)
        queries, keys = newest.cell
        cell = self.tr("of {0}²").format(queries) if queries == keys else self.tr("of {0} × {1}").format(queries, keys)
        return name, reduction_name(newest), cell

    def _scene(self) -> MapScene:
        return MapScene(
            layout=self.layout_now(),
            view=self.view(),
            palette=self._palette,
            texts=self._texts,
            tokens=len(self._texts),
            query=self._query,
            hover=self._hover,
            scale=self._layers.scale,
            bar_notes=self._notes(),
            nan_note=self.tr("■ NaN") if self._layers.has_nan else "",
        )
