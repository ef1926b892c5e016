"""The routing map on the screen: one canvas for tokens × experts and for layers × experts.

Longer than most files: painting, the mouse and the keys of one picture belong together.
"""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from widgets.palette import DARK, Palette, coloured, ink_on, sequential_table
from widgets.routing.geometry import (
    Columns,
    Rows,
    cell_at,
    labelled_columns,
    labelled_rows,
    place_columns,
    visible_rows,
)
from widgets.routing.grid import Grid
from widgets.routing.picture import cell_pixels, image_of, strip_pixels
from widgets.token_text import visible

TEXT_PIXELS = 11
LINE = 14.0
TOP = 26.0
BOTTOM = 30.0
LEFT = 78.0
RIGHT = 12.0
SHARED_WIDTH = 16.0
SIDE_WIDTH = 14.0
SIDE_ROOM = 44.0
APART = 14.0
FEWEST_ROWS = 4.0
CLICK_SLOP = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """A place under the mouse: drawn rows hold `rows` tokens from `row` on; the expert may be none."""

    row: int
    rows: int
    expert: int | None
    shared: int | None = None
    side: bool = False


class RoutingCanvas(QWidget):
    """Rows × experts. Wheel zooms rows at the cursor (Shift: columns), drag pans, F fits, 0 resets.

    Signals: `row_chosen(int)`, `expert_chosen(int)`, `cell_hovered(object)`: a Cell, or None outside;
    `pooling_changed()`: another number of rows shares a drawn row.
    """

    row_chosen = Signal(int)
    expert_chosen = Signal(int)
    cell_hovered = Signal(object)
    pooling_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._palette = DARK
        self._grid: Grid | None = None
        self._row: int | None = None
        self._expert: int | None = None
        self._hover: Cell | None = None
        self._range: tuple[float, float] | None = None  # first row and rows shown, once a person has zoomed
        self._spread = (1.0, 0.0)  # column zoom, and pixels scrolled
        self._press: tuple[QPoint, tuple[float, float], float] | None = None
        self._dragging = False
        self._told_each = 1
        self._image: QImage | None = None
        self._strip: QImage | None = None
        self._columns_made: tuple[tuple[object, ...], Columns] | None = None
        self.side_name = ""
        self.device_word = "device {0}"

    def show_grid(self, grid: Grid | None) -> None:
        """Draw another grid; zoom stays as long as there are rows to see."""
        if grid is None or (self._grid is not None and grid.rows < self._grid.rows):
            self._range, self._spread = None, (1.0, 0.0)
        self._grid = grid
        self._forget()

    def show_chosen(self, row: int | None, expert: int | None) -> None:
        """Frame a row and mark an expert's column."""
        self._row, self._expert = row, expert
        self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._palette = palette
        self._forget()

    def fit(self) -> None:
        """Show every row and column."""
        self._range, self._spread = None, (1.0, 0.0)
        self._forget()

    def each(self) -> int:
        """Rows that share one drawn row: 1 unless rows are smaller than a pixel."""
        return self._rows().each if self._grid is not None else 1

    def cell_rectangle(self, row: int, expert: int) -> QRectF:
        """Where a cell lies, in pixels of this widget."""
        body, rows, columns = self._body(), self._rows(), self._columns()
        top, bottom = rows.edges()
        at, place = min(max(rows.row_of(row), 0), rows.count - 1), columns.place_of(expert)
        return QRectF(
            body.left() + columns.left[place],
            body.top() + top[at],
            columns.right[place] - columns.left[place],
            max(bottom[at] - top[at], 1.0),
        )

    # What is where

    def _forget(self) -> None:
        self._image = self._strip = None
        self.update()
        if self.each() != self._told_each:
            self._told_each = self.each()
            self.pooling_changed.emit()

    def _body(self) -> QRectF:
        assert self._grid is not None
        shared = self._grid.shared * (SHARED_WIDTH + 2.0) + APART if self._grid.shared else 0.0
        side = SIDE_ROOM if self._grid.side is not None else 0.0
        width = max(20.0, self.width() - LEFT - RIGHT - shared - side)
        return QRectF(LEFT, TOP, float(int(width)), max(8.0, self.height() - TOP - BOTTOM))

    def _view(self) -> tuple[float, float]:
        assert self._grid is not None
        return self._range or (0.0, float(self._grid.capacity))

    def _rows(self) -> Rows:
        assert self._grid is not None
        first, shown = self._view()
        return visible_rows(first, shown, tokens=self._grid.rows, height=self._body().height())

    def _columns(self) -> Columns:
        assert self._grid is not None
        width = self._body().width()
        zoom, offset = self._spread
        key = (self._grid.expert_device.tobytes(), self._grid.groups, width, zoom, offset)
        if self._columns_made is None or self._columns_made[0] != key:
            made = place_columns(self._grid.expert_device, groups=self._grid.groups, width=width * zoom)
            self._columns_made = (key, Columns(made.order, made.left - round(offset), made.right - round(offset)))
        return self._columns_made[1]

    def _shared_left(self, index: int) -> float:
        return self._body().right() + APART + index * (SHARED_WIDTH + 2.0)

    def _side_left(self) -> float:
        return self.width() - RIGHT - SIDE_ROOM / 2 - SIDE_WIDTH / 2

    def _cell_at(self, place: QPointF) -> Cell | None:
        if self._grid is None or not self._grid.rows:
            return None
        body, rows = self._body(), self._rows()
        at = cell_at(*rows.edges(), place.y() - body.top()) if rows.count else None
        if at is None or not body.top() <= place.y() < body.bottom():
            return None
        first = rows.first + at * rows.each
        held = min(rows.each, self._grid.rows - first)
        if place.x() >= body.right():
            return self._cell_apart(first, held, place.x())
        columns = self._columns()
        found = cell_at(columns.left, columns.right, place.x() - body.left()) if place.x() >= body.left() else None
        return Cell(first, held, None if found is None else int(columns.order[found]))

    def _cell_apart(self, first: int, held: int, x: float) -> Cell:
        assert self._grid is not None
        for index in range(self._grid.shared):
            if 0 <= x - self._shared_left(index) < SHARED_WIDTH + 1:
                return Cell(first, held, None, shared=index)
        on_side = self._grid.side is not None and -8 <= x - self._side_left() < SIDE_WIDTH + 8
        return Cell(first, held, None, side=on_side)

    # Painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._grid is None or not len(self._grid.expert_device):
            return
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(TEXT_PIXELS)
        painter.setFont(font)
        self._paint_cells(painter)
        self._paint_numbers(painter)
        self._paint_apart(painter)
        self._paint_row_names(painter)
        self._paint_experts(painter)
        self._paint_devices(painter)
        self._paint_key(painter)
        self._paint_marks(painter)

    def _paint_cells(self, painter: QPainter) -> None:
        assert self._grid is not None
        body, rows, ratio = self._body(), self._rows(), self.devicePixelRatioF()
        if not rows.count:
            return
        if self._image is None:
            size = (round(body.width() * ratio), round(body.height() * ratio))
            values = self._grid.cells(rows)
            pixels = cell_pixels(values, rows, self._columns(), size=size, ratio=ratio, palette=self._palette)
            self._image = image_of(pixels, ratio)
        painter.drawImage(body, self._image)

    def _paint_numbers(self, painter: QPainter) -> None:
        assert self._grid is not None
        rows, columns, body = self._rows(), self._columns(), self._body()
        numbers = self._grid.numbers
        room = float(np.min(columns.right - columns.left))
        if numbers is None or rows.height < LINE or room < painter.fontMetrics().horizontalAdvance("0.0") + 4:
            return
        colours = coloured(
            self._grid.cells(rows),
            sequential_table(self._palette.sequential),
            low=0.0,
            high=1.0,
            masked=self._palette.colour("background"),
        )
        top, bottom = rows.edges()
        for at in range(rows.count):
            for place, expert in enumerate(columns.order):
                if not numbers[rows.first + at, expert] > 0:
                    continue
                painter.setPen(ink_on(QColor(*(int(part) for part in colours[at, expert]))))
                cell = QRectF(
                    body.left() + columns.left[place],
                    body.top() + top[at],
                    columns.right[place] - columns.left[place],
                    bottom[at] - top[at],
                )
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, f"{numbers[rows.first + at, expert]:.1f}")

    def _paint_apart(self, painter: QPainter) -> None:
        assert self._grid is not None
        body, rows, ratio, palette = self._body(), self._rows(), self.devicePixelRatioF(), self._palette
        if not rows.count:
            return
        ends = {"empty": palette.colour("background"), "ratio": ratio}
        height = round(body.height() * ratio)
        if self._grid.shared:
            always = np.ones(rows.count, dtype=np.float32)
            full = _blend(palette.colour("surface"), palette.colour("muted"), 0.45)
            size = (round(SHARED_WIDTH * ratio), height)
            image = image_of(strip_pixels(always, rows, size=size, full=full, **ends), ratio)  # type: ignore[arg-type]
            for index in range(self._grid.shared):
                painter.drawImage(QRectF(self._shared_left(index), body.top(), SHARED_WIDTH, body.height()), image)
        if self._grid.side is not None:
            if self._strip is None:
                size = (round(SIDE_WIDTH * ratio), height)
                full = palette.colour("warn")
                strip = strip_pixels(self._grid.side(rows), rows, size=size, full=full, **ends)  # type: ignore[arg-type]
                self._strip = image_of(strip, ratio)
            painter.drawImage(QRectF(self._side_left(), body.top(), SIDE_WIDTH, body.height()), self._strip)

    def _paint_row_names(self, painter: QPainter) -> None:
        assert self._grid is not None
        body, rows = self._body(), self._rows()
        if not rows.count:
            return
        top, bottom = rows.edges()
        selected = None if self._row is None else rows.row_of(self._row)
        for at in labelled_rows(rows, line=LINE, always=selected):
            token = self._row if at == selected and self._row is not None else rows.first + at * rows.each
            middle = body.top() + (top[at] + bottom[at]) / 2
            if not body.top() - 1 <= middle <= body.bottom() + 1:
                continue
            name = visible(self._grid.names[token], limit=16) if token < len(self._grid.names) else str(token)
            painter.setPen(self._palette.colour("text" if at == selected else "muted"))
            area = QRectF(8, middle - LINE / 2, LEFT - 16, LINE)
            shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(area.width()))
            painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, shown)

    def _paint_experts(self, painter: QPainter) -> None:
        assert self._grid is not None
        body, columns = self._body(), self._columns()
        always = None if self._expert is None else columns.place_of(self._expert)
        width = painter.fontMetrics().horizontalAdvance(str(len(columns.order))) + 5.0
        for place in labelled_columns(columns, width=width, always=always):
            middle = body.left() + (columns.left[place] + columns.right[place]) / 2
            if not body.left() <= middle <= body.right():
                continue
            painter.setPen(self._palette.colour("text" if place == always else "muted"))
            area = QRectF(middle - 20, 6, 40, TOP - 8)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, str(columns.order[place]))
        painter.setPen(self._palette.colour("muted"))
        for index in range(self._grid.shared):
            area = QRectF(self._shared_left(index) - 8, 6, SHARED_WIDTH + 16, TOP - 8)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, f"S{index}")
        if self._grid.side is not None:
            area = QRectF(self.width() - RIGHT - SIDE_ROOM, 6, SIDE_ROOM, TOP - 8)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.side_name)

    def _paint_devices(self, painter: QPainter) -> None:
        assert self._grid is not None
        body, columns = self._body(), self._columns()
        device = self._grid.expert_device[columns.order]
        starts = np.flatnonzero(np.diff(device, prepend=-1))
        ends = np.append(starts[1:], len(device)) - 1
        metrics = painter.fontMetrics()
        free = -np.inf
        for start, end in zip(starts, ends, strict=True):
            left = max(0.0, columns.left[start])
            right = min(body.width(), columns.right[end])
            if right <= left:
                continue
            painter.fillRect(
                QRectF(body.left() + left, body.bottom() + 5, right - left, 3),
                self._palette.category(int(device[start])),
            )
            name = self.device_word.format(device[start])
            if metrics.horizontalAdvance(name) > right - left:
                name = str(device[start])
            half = metrics.horizontalAdvance(name) / 2
            middle = (left + right) / 2
            if middle - half < free:
                continue
            free = middle + half + 5
            painter.setPen(self._palette.colour("muted"))
            area = QRectF(body.left() + middle - half - 2, body.bottom() + 10, 2 * half + 4, LINE)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_key(self, painter: QPainter) -> None:
        """The colour map and its two ends, in the corner under the row names."""
        assert self._grid is not None
        table = sequential_table(self._palette.sequential)
        low, high = self._grid.key
        metrics = painter.fontMetrics()
        end = LEFT - 8.0 - metrics.horizontalAdvance(high)
        start = 12.0 + metrics.horizontalAdvance(low) + 4
        y = self._body().bottom() + 10
        painter.setPen(self._palette.colour("muted"))
        painter.drawText(QRectF(12, y, 40, LINE), Qt.AlignmentFlag.AlignVCenter, low)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, y, LEFT - 8, LINE), flags, high)
        if end - 4 - start >= 8:
            ramp = image_of(np.ascontiguousarray(table[None, :, :]), 1.0)
            painter.drawImage(QRectF(start, y + 4, end - 4 - start, 6), ramp)

    def _paint_marks(self, painter: QPainter) -> None:
        assert self._grid is not None
        body = self._body()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._hover is not None:
            painter.setPen(QPen(self._palette.colour("muted", 0.6), 1))
            self._paint_row_frame(painter, self._hover.row)
        if self._expert is not None and self._rows().count:
            columns, bottom = self._columns(), float(self._rows().edges()[1][-1])
            place = columns.place_of(self._expert)
            left, right = columns.left[place], columns.right[place]
            if right > 0 and left < body.width():
                painter.setPen(QPen(self._palette.colour("accent", 0.75), 1))
                height = min(body.height(), bottom) + 2
                painter.drawRect(QRectF(body.left() + left - 1.5, body.top() - 1.5, right - left + 2, height))
        if self._row is not None:
            painter.setPen(QPen(self._palette.colour("accent"), 1.5))
            self._paint_row_frame(painter, self._row)

    def _paint_row_frame(self, painter: QPainter, row: int) -> None:
        assert self._grid is not None
        body, rows = self._body(), self._rows()
        at = rows.row_of(row)
        if not 0 <= at < rows.count:
            return
        top, bottom = (float(edge[at]) for edge in rows.edges())
        if bottom - top < 3:
            top, bottom = top - 1, top + 2
        right = self._shared_left(self._grid.shared - 1) + SHARED_WIDTH if self._grid.shared else body.right()
        frame = QRectF(body.left() - 1.5, body.top() + top - 1.5, right - body.left() + 2, bottom - top + 2)
        if body.top() - 3 <= frame.top() and frame.bottom() <= body.bottom() + 3:
            painter.drawRect(frame)

    # Mouse and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() or event.angleDelta().x()
        if self._grid is None or not turn:
            return
        factor = 1.0015**-turn
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or event.position().y() < TOP:
            self._zoom_columns(1.0 / factor, event.position().x())
        else:
            self._zoom_rows(factor, event.position().y())
        event.accept()

    def _zoom_rows(self, factor: float, y: float) -> None:
        assert self._grid is not None
        body, (first, shown) = self._body(), self._view()
        capacity = float(self._grid.capacity)
        least = min(FEWEST_ROWS, capacity)
        wanted = min(max(shown * factor, least), capacity)
        part = min(max((y - body.top()) / body.height(), 0.0), 1.0)
        self._move_rows(first + part * (shown - wanted), wanted)

    def _move_rows(self, first: float, shown: float) -> None:
        assert self._grid is not None
        capacity = float(self._grid.capacity)
        self._range = None if shown >= capacity else (min(max(first, 0.0), capacity - shown), shown)
        self._forget()

    def _zoom_columns(self, factor: float, x: float) -> None:
        body, (zoom, offset) = self._body(), self._spread
        wanted = min(max(zoom * factor, 1.0), 32.0)
        inside = min(max(x - body.left(), 0.0), body.width())
        self._move_columns(wanted, (offset + inside) * wanted / zoom - inside)

    def _move_columns(self, zoom: float, offset: float) -> None:
        self._spread = (zoom, min(max(offset, 0.0), self._body().width() * (zoom - 1.0)))
        self._forget()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._grid is not None:
            self._press = (event.position().toPoint(), self._view(), self._spread[1])
            self._dragging = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is not None and self._grid is not None:
            start, (first, shown), offset = self._press
            way = event.position().toPoint() - start
            self._dragging = self._dragging or way.manhattanLength() > CLICK_SLOP
            if self._dragging:
                self._move_rows(first - way.y() * shown / self._body().height(), shown)
                self._move_columns(self._spread[0], offset - way.x())
            return
        self._show_hover(self._cell_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._press = self._press, None
        if pressed is None or self._dragging or event.button() != Qt.MouseButton.LeftButton:
            return
        cell = self._cell_at(event.position())
        if cell is not None:
            self.row_chosen.emit(cell.row)
            if cell.expert is not None:
                self.expert_chosen.emit(cell.expert)
            return
        self._choose_number(event.position())

    def _choose_number(self, place: QPointF) -> None:
        """A click on an expert's number above the map chooses the expert alone."""
        if self._grid is None or place.y() >= TOP:
            return
        columns = self._columns()
        found = cell_at(columns.left, columns.right, place.x() - self._body().left())
        if found is not None:
            self.expert_chosen.emit(int(columns.order[found]))

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_hover(self._cell_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_hover(None)

    def _show_hover(self, cell: Cell | None) -> None:
        if cell != self._hover:
            self._hover = cell
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
            self._step(*steps[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.row_chosen.emit(0 if key == Qt.Key.Key_Home else self._grid.rows - 1)
        else:
            super().keyPressEvent(event)

    def _step(self, rows: int, places: int) -> None:
        assert self._grid is not None
        if rows:
            here = self._row if self._row is not None else -1 if rows > 0 else self._grid.rows
            self.row_chosen.emit(min(max(here + rows, 0), self._grid.rows - 1))
        if places:
            order = self._columns().order
            here = self._columns().place_of(self._expert) if self._expert is not None else -1
            self.expert_chosen.emit(int(order[min(max(here + places, 0), len(order) - 1)]))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._forget()


def _blend(one: QColor, other: QColor, part: float) -> QColor:
    channels = [(one.redF(), other.redF()), (one.greenF(), other.greenF()), (one.blueF(), other.blueF())]
    return QColor.fromRgbF(*(low + part * (high - low) for low, high in channels))
