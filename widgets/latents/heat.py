"""A heat map over two counted axes, signed values in the diverging map or sizes in the sequential one."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.attention.colour_scale import cell_image, round_up
from widgets.attention.map_painting import sharp
from widgets.memory.memory_curves import nice_ticks
from widgets.palette import DARK, Palette, coloured, diverging_table, sequential_table

TITLE, BELOW, LEFT, RIGHT = 20, 20, 44, 8
LABEL_PIXELS = 11
BAR_WIDTH, BAR_ROOM = 8, 52


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeatData:
    """`values` float32 [rows, columns]; columns stand for `across` = [a, b), each for `cell` of them.

    `signed`: centred at 0. `names` are the rows' words where they have any; else they are counted from 0.
    """

    title: str
    values: NDArray[np.float32]
    across: tuple[int, int]
    cell: int = 1
    signed: bool = True
    across_name: str = ""
    names: tuple[str, ...] = ()


class Heat(QWidget):
    """Signals: `hovered(object)`, (row, index across) or None; `chosen(int, int)`, the same by a click;

    `zoom_wanted(float, float)`: a factor, and the place across, 0 to 1, that stays.
    """

    hovered = Signal(object)
    chosen = Signal(int, int)
    zoom_wanted = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._palette: Palette = DARK
        self._data: HeatData | None = None
        self._image: QImage | None = None
        self._hover: tuple[int, int] | None = None
        self._marked_row: int | None = None
        self._marked_column: int | None = None

    def show_data(self, data: HeatData | None) -> None:
        """Draw this, or nothing."""
        if data is not self._data:
            self._data, self._image = data, None
            self.setAccessibleName(data.title if data is not None else "")
            self.update()

    def show_mark(self, *, row: int | None = None, column: int | None = None) -> None:
        """Frame one row, or one place across, in the accent."""
        if (row, column) != (self._marked_row, self._marked_column):
            self._marked_row, self._marked_column = row, column
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette, self._image = palette, None
        self.update()

    def data(self) -> HeatData | None:
        """What is drawn."""
        return self._data

    def limit(self) -> float:
        """The value at the end of the colour bar."""
        if self._data is None or not self._data.values.size:
            return 1.0
        return round_up(float(np.nanmax(np.abs(self._data.values), initial=0.0)))

    def area(self) -> QRectF:
        """Where the cells lie."""
        width, height = self.width() - LEFT - BAR_ROOM - RIGHT, self.height() - TITLE - BELOW
        return QRectF(LEFT, TITLE, max(width, 10), max(height, 10))

    def sizeHint(self) -> QSize:
        return QSize(300, 180)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 90)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._image = None

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._data is None:
            return
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(LABEL_PIXELS)
        painter.setFont(font)
        painter.setPen(self._palette.colour("muted"))
        painter.drawText(QRectF(0, 0, self.width(), TITLE - 4), Qt.AlignmentFlag.AlignVCenter, self._data.title)
        area = self.area()
        painter.fillRect(area, self._palette.colour("background"))
        if self._data.values.size:
            if self._image is None:
                self._image = self._picture(area)
            painter.drawImage(area, sharp(self._image, painter))
        self._paint_labels(painter, area)
        self._paint_marks(painter, area)
        self._paint_bar(painter, area)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self.at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.at(event.position())
        if place is not None:
            self.chosen.emit(*place)

    def wheelEvent(self, event: QWheelEvent) -> None:
        area = self.area()
        if self._data is None or not area.contains(event.position()):
            event.ignore()
            return
        place = (event.position().x() - area.left()) / area.width()
        self.zoom_wanted.emit(1.0015 ** event.angleDelta().y(), place)
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def at(self, point: QPointF) -> tuple[int, int] | None:
        """(row, index across) under a point."""
        data, area = self._data, self.area()
        if data is None or not data.values.size or not area.contains(point):
            return None
        first, last = data.across
        row = int((point.y() - area.top()) / area.height() * len(data.values))
        index = first + int((point.x() - area.left()) / area.width() * (last - first))
        return min(row, len(data.values) - 1), min(index, last - 1)

    def _picture(self, area: QRectF) -> QImage:
        assert self._data is not None
        ratio = self.devicePixelRatioF()
        cells = strongest(self._data.values, int(area.height() * ratio), int(area.width() * ratio))
        limit = self.limit()
        table = diverging_table() if self._data.signed else sequential_table(self._palette.sequential)
        low = -limit if self._data.signed else 0.0
        masked = self._palette.colour("background")
        return cell_image(coloured(cells, table, low=low, high=limit, masked=masked))

    def _paint_labels(self, painter: QPainter, area: QRectF) -> None:
        assert self._data is not None
        data, metrics = self._data, painter.fontMetrics()
        first, last = data.across
        painter.setPen(self._palette.colour("muted"))
        free = -100.0
        ticks = [round(place) for place in nice_ticks(first, max(last - 1, first), most=5, whole=True)]
        for number, place in enumerate(ticks):
            text = f"{place:,}" + (f" {data.across_name}" if data.across_name and number == len(ticks) - 1 else "")
            middle = area.left() + (place + 0.5 - first) / max(last - first, 1) * area.width()
            width = metrics.horizontalAdvance(text)
            left = min(max(middle - metrics.horizontalAdvance(f"{place:,}") / 2, area.left()), self.width() - width - 4)
            if left >= free:
                painter.drawText(QPointF(left, area.bottom() + 4 + metrics.ascent()), text)
                free = left + width + 10
        for middle, text in self._row_labels(area, metrics.height()):
            box = QRectF(0, middle - metrics.height() / 2, LEFT - 6, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _row_labels(self, area: QRectF, height: int) -> list[tuple[float, str]]:
        assert self._data is not None
        rows = len(self._data.values)
        pitch = area.height() / max(rows, 1)
        if self._data.names:
            step = max(math.ceil(height / max(pitch, 1e-9)), 1)
            indices = list(range(0, rows, step))
            return [(area.top() + (index + 0.5) * pitch, self._data.names[index]) for index in indices]
        ticks = [round(tick) for tick in nice_ticks(0, max(rows - 1, 1), most=4, whole=True)]
        return [(area.top() + (tick + 0.5) * pitch, f"{tick:,}") for tick in ticks if tick < rows]

    def _paint_marks(self, painter: QPainter, area: QRectF) -> None:
        assert self._data is not None
        rows, (first, last) = len(self._data.values), self._data.across
        painter.setPen(QPen(self._palette.colour("accent"), 1.5))
        if self._marked_row is not None and self._marked_row < rows:
            pitch = area.height() / rows
            box = QRectF(area.left(), area.top() + self._marked_row * pitch, area.width(), max(pitch, 2.0))
            painter.drawRect(box)
        if self._marked_column is not None and first <= self._marked_column < last:
            step = area.width() / (last - first)
            box = QRectF(area.left() + (self._marked_column - first) * step, area.top(), max(step, 2.0), area.height())
            painter.drawRect(box)

    def _paint_bar(self, painter: QPainter, area: QRectF) -> None:
        assert self._data is not None
        bar = QRectF(area.right() + 10, area.top(), BAR_WIDTH, area.height())
        table = diverging_table() if self._data.signed else sequential_table(self._palette.sequential)
        painter.drawImage(bar, cell_image(np.ascontiguousarray(table[::-1, np.newaxis, :])))
        painter.setPen(QPen(self._palette.colour("line"), 1))
        painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))
        limit, height = self.limit(), painter.fontMetrics().height()
        marks = [(0.0, f"−{limit:g}"), (0.5, "0"), (1.0, f"{limit:g}")] if self._data.signed else [
            (0.0, "0"), (1.0, f"{limit:g}")
        ]  # fmt: skip
        painter.setPen(self._palette.colour("muted"))
        for place, text in marks:
            middle = bar.bottom() - place * bar.height()
            box = QRectF(bar.right() + 5, middle - height / 2, BAR_ROOM, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)

    def _set_hover(self, place: tuple[int, int] | None) -> None:
        if place != self._hover:
            self._hover = place
            self.hovered.emit(place)


def strongest(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """At most so many rows and columns, each the value farthest from 0, with its sign, of those it stands for."""
    for axis, most in ((0, rows), (1, columns)):
        count = values.shape[axis]
        if count > max(most, 1):
            edges = (np.arange(max(most, 1)) * count) // max(most, 1)
            high, low = np.fmax.reduceat(values, edges, axis=axis), np.fmin.reduceat(values, edges, axis=axis)
            values = np.where(np.abs(low) > np.abs(high), low, high)
    return values
