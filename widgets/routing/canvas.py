"""The routing map on the screen: one canvas for tokens × experts and for layers × experts."""

from dataclasses import replace

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QEnterEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from widgets.palette import DARK, Palette
from widgets.routing.grid import Grid
from widgets.routing.layout import TOP, Cell, Layout, View, lay_out
from widgets.routing.painting import Marks, Painting, Words

FEWEST_ROWS = 4.0
MOST_COLUMN_ZOOM = 32.0
CLICK_SLOP = 4
ZOOM_PER_UNIT = 1.0015  # a notch of the wheel is 120 units


class RoutingCanvas(QWidget):
    """Rows × experts. Wheel zooms rows at the cursor (Shift: columns), drag pans, F fits, 0 resets.

    Signals: `row_chosen(int)`, `expert_chosen(int)`, `cell_hovered(object)`: a Cell, or None outside;
    `pooling_changed()`: another number of rows shares a drawn row.
    """

    row_chosen = Signal(int)
    expert_chosen = Signal(int)
    cell_hovered = Signal(object)
    pooling_changed = Signal()

    def __init__(self, words: Words, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._words = words
        self._palette = DARK
        self._grid: Grid | None = None
        self._view = View()
        self._marks = Marks()
        self._hover: Cell | None = None
        self._layout_made: Layout | None = None
        self._painting: Painting | None = None
        self._press: tuple[QPoint, tuple[float, float], float] | None = None
        self._dragging = False
        self._told_each = 1

    def show_grid(self, grid: Grid | None) -> None:
        """Draw another grid; zoom stays as long as there are rows to see."""
        if grid is None or (self._grid is not None and grid.rows < self._grid.rows):
            self._view = View()
        self._grid = grid if grid is not None and len(grid.expert_device) else None
        self._forget()

    def show_chosen(self, row: int | None, expert: int | None) -> None:
        """Frame a row and mark an expert's column."""
        self._marks = replace(self._marks, row=row, expert=expert)
        self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._palette = palette
        self._forget()

    def fit(self) -> None:
        """Show every row and column."""
        self._view = View()
        self._forget()

    def each(self) -> int:
        """Rows that share one drawn row: 1 unless rows are smaller than a pixel."""
        return self._layout().rows.each if self._grid is not None else 1

    def cell_rectangle(self, row: int, expert: int) -> QRectF:
        """Where a cell lies, in pixels of this widget."""
        return self._layout().cell_rectangle(row, expert)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._grid is None:
            return
        if self._painting is None:
            self._painting = Painting(self._layout(), self._palette, self._words)
        self._painting.paint(QPainter(self), self._marks, self.devicePixelRatioF())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._forget()

    def _forget(self) -> None:
        """Lay out and paint afresh."""
        self._layout_made = self._painting = None
        self.update()
        if self.each() != self._told_each:
            self._told_each = self.each()
            self.pooling_changed.emit()

    def _layout(self) -> Layout:
        assert self._grid is not None, "nothing is laid out before there is a grid"
        if self._layout_made is None:
            self._layout_made = lay_out(self._grid, self._view, width=self.width(), height=self.height())
        return self._layout_made

    # Zooming and panning

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() or event.angleDelta().x()
        if self._grid is None or not turn:
            return
        factor = float(ZOOM_PER_UNIT**turn)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or event.position().y() < TOP:
            self._zoom_columns(factor, event.position().x())
        else:
            self._zoom_rows(factor, event.position().y())
        event.accept()

    def _rows_shown(self) -> tuple[float, float]:
        return self._view.rows or (0.0, self._capacity())

    def _capacity(self) -> float:
        return float(self._grid.capacity) if self._grid is not None else 1.0

    def _zoom_rows(self, factor: float, y: float) -> None:
        body, (first, shown) = self._layout().body, self._rows_shown()
        wanted = min(max(shown / factor, min(FEWEST_ROWS, self._capacity())), self._capacity())
        part = min(max((y - body.top()) / body.height(), 0.0), 1.0)
        self._move_rows(first + part * (shown - wanted), wanted)

    def _move_rows(self, first: float, shown: float) -> None:
        room = self._capacity() - shown
        self._view = replace(self._view, rows=(min(max(first, 0.0), room), shown) if room > 0 else None)
        self._forget()

    def _zoom_columns(self, factor: float, x: float) -> None:
        body, view = self._layout().body, self._view
        wanted = min(max(view.zoom * factor, 1.0), MOST_COLUMN_ZOOM)
        inside = min(max(x - body.left(), 0.0), body.width())
        self._move_columns(wanted, (view.scrolled + inside) * wanted / view.zoom - inside)

    def _move_columns(self, zoom: float, scrolled: float) -> None:
        room = self._layout().body.width() * (zoom - 1.0)
        self._view = replace(self._view, zoom=zoom, scrolled=min(max(scrolled, 0.0), room))
        self._forget()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._grid is not None:
            self._press = (event.position().toPoint(), self._rows_shown(), self._view.scrolled)
            self._dragging = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is None or self._grid is None:
            self._show_hover(event.position())
            return
        start, (first, shown), scrolled = self._press
        way = event.position().toPoint() - start
        self._dragging = self._dragging or way.manhattanLength() > CLICK_SLOP
        if self._dragging:
            self._move_rows(first - way.y() * shown / self._layout().body.height(), shown)
            self._move_columns(self._view.zoom, scrolled - way.x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._press = self._press, None
        if pressed is not None and not self._dragging and event.button() == Qt.MouseButton.LeftButton:
            self._choose(event.position())

    def _choose(self, place: QPointF) -> None:
        """A cell chooses its row and its expert, a number above the map the expert alone."""
        if self._grid is None:
            return
        cell = self._layout().cell_at(place)
        expert = cell.expert if cell is not None else self._layout().expert_at(place.x()) if place.y() < TOP else None
        if cell is not None:
            self.row_chosen.emit(cell.row)
        if expert is not None:
            self.expert_chosen.emit(expert)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_hover(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_hover(None)

    def _show_hover(self, place: QPointF | None) -> None:
        cell = None if place is None or self._grid is None else self._layout().cell_at(place)
        if cell != self._hover:
            self._hover = cell
            self._marks = replace(self._marks, hovered_row=None if cell is None else cell.row)
            self.cell_hovered.emit(cell)
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0), Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1)}
        key = Qt.Key(event.key())
        if self._grid is None or not self._grid.rows:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_F, Qt.Key.Key_0):
            self.fit()
        elif key in steps:
            self._step(self._grid, *steps[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.row_chosen.emit(0 if key == Qt.Key.Key_Home else self._grid.rows - 1)
        else:
            super().keyPressEvent(event)

    def _step(self, grid: Grid, rows: int, places: int) -> None:
        """Choose the next row or column; from none, the first one in that direction."""
        row, expert, columns = self._marks.row, self._marks.expert, self._layout().columns
        if rows:
            here = row if row is not None else -1 if rows > 0 else grid.rows
            self.row_chosen.emit(min(max(here + rows, 0), grid.rows - 1))
        if places:
            last = len(columns.order) - 1
            here = columns.place_of(expert) if expert is not None else -1 if places > 0 else last + 1
            self.expert_chosen.emit(int(columns.order[min(max(here + places, 0), last)]))
