"""A small chart: lines or bars over an index, few ticks; hundreds of thousands of points cost no more than pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.memory.memory_curves import nice_ticks
from widgets.palette import DARK, Palette

TITLE, BELOW, RIGHT = 20, 20, 8
LABEL_PIXELS = 11


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Series:
    """Numbers over an index from `first` on; NaN leaves a gap. `role` is the palette's word, or `category:2`."""

    values: NDArray[np.float32]
    first: int = 0
    bars: bool = False
    role: str = "accent"
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChartData:
    """What a chart draws: series over one index, the value range (None: from the data), words for both axes.

    `names` are the words of single indices, where they have any: layers, ranges of distances.
    """

    title: str
    series: tuple[Series, ...]
    low: float | None = 0.0
    high: float | None = None
    unit: Callable[[float], str] = lambda value: f"{value:g}"
    across: str = ""
    names: tuple[str, ...] = ()


class Chart(QWidget):
    """Signals: `hovered(object)`, an index or None; `chosen(int)`, an index."""

    hovered = Signal(object)
    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._palette: Palette = DARK
        self._data: ChartData | None = None
        self._hover: int | None = None
        self._marked: int | None = None

    def show_data(self, data: ChartData | None) -> None:
        """Draw this, or nothing."""
        self._data = data
        self.setAccessibleName(data.title if data is not None else "")
        self.update()

    def show_mark(self, index: int | None) -> None:
        """Mark one index, as the selected token, with the accent."""
        if index != self._marked:
            self._marked = index
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self.update()

    def data(self) -> ChartData | None:
        """What is drawn."""
        return self._data

    def bounds(self) -> tuple[float, float]:
        """The values at the bottom and at the top."""
        return (0.0, 1.0) if self._data is None else value_range(self._data)

    def sizeHint(self) -> QSize:
        return QSize(240, 130)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 70)

    def area(self) -> QRectF:
        """Where the values lie, in pixels of the widget."""
        left = self._label_width() + 8.0
        return QRectF(left, TITLE, max(self.width() - left - RIGHT, 10.0), max(self.height() - TITLE - BELOW, 10.0))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(LABEL_PIXELS)
        painter.setFont(font)
        if self._data is None:
            return
        area, (first, last) = self.area(), extent(self._data)
        painter.setPen(self._palette.colour("muted"))
        painter.drawText(QRectF(0, 0, self.width(), TITLE - 4), Qt.AlignmentFlag.AlignVCenter, self._data.title)
        self._paint_ticks(painter, area)
        if last > first:
            for series in self._data.series:
                self._paint_series(painter, series, area)
            self._paint_names(painter, area)
            self._paint_mark(painter, area, self._marked, "accent")
            self._paint_mark(painter, area, self._hover, "faint")
        self._paint_legend(painter)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._index_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._index_at(event.position())
        if index is not None:
            self.chosen.emit(index)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def _label_width(self) -> float:
        if self._data is None:
            return 30.0
        metrics = self.fontMetrics()
        return float(max((metrics.horizontalAdvance(text) for _, text in self._ticks()), default=20)) * 0.9

    def _ticks(self) -> list[tuple[float, str]]:
        assert self._data is not None
        low, high = value_range(self._data)
        most = 2 if self.height() < 110 else 4
        return [(value, self._data.unit(value)) for value in nice_ticks(low, high, most=most)]

    def _y(self, area: QRectF, value: float) -> float:
        low, high = self.bounds()
        return area.bottom() - (min(max(value, low), high) - low) / (high - low) * area.height()

    def _x(self, area: QRectF, index: float) -> float:
        assert self._data is not None
        first, last = extent(self._data)
        return area.left() + (index - first) / max(last - first, 1) * area.width()

    def _paint_ticks(self, painter: QPainter, area: QRectF) -> None:
        height = painter.fontMetrics().height()
        for value, text in self._ticks():
            y = self._y(area, value)
            painter.setPen(QPen(self._palette.colour("line"), 1))
            painter.drawLine(QPointF(area.left(), round(y) + 0.5), QPointF(area.right(), round(y) + 0.5))
            painter.setPen(self._palette.colour("muted"))
            box = QRectF(0, y - height / 2, area.left() - 6, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_names(self, painter: QPainter, area: QRectF) -> None:
        assert self._data is not None
        metrics, (first, last) = painter.fontMetrics(), extent(self._data)
        painter.setPen(self._palette.colour("muted"))
        free, bottom = area.left() - 20.0, area.bottom() + 4
        for index, text in _index_ticks(self._data, first, last):
            width, middle = metrics.horizontalAdvance(text), self._x(area, index + 0.5)
            left = min(max(middle - width / 2, area.left() - 12), self.width() - width)
            if left >= free:
                painter.drawText(QPointF(left, bottom + metrics.ascent()), text)
                free = left + width + 10

    def _paint_series(self, painter: QPainter, series: Series, area: QRectF) -> None:
        colour = self._colour(series.role)
        first = self._x(area, series.first)
        width = self._x(area, series.first + len(series.values)) - first
        if series.bars and width / max(len(series.values), 1) >= 3:
            self._paint_bars(painter, series, area, colour)
            return
        low, high = by_pixel(series.values, max(int(width), 1))
        step = width / max(len(low), 1)
        base = self._y(area, max(self.bounds()[0], 0.0))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, len(low) == len(series.values))
        painter.setPen(QPen(colour, 1.4 if len(low) == len(series.values) else 1.0))
        if series.bars or len(low) < len(series.values):
            for column in np.flatnonzero(~np.isnan(high)).tolist():
                x = first + (column + 0.5) * step
                bottom = base if series.bars else self._y(area, float(low[column])) + 0.5
                painter.drawLine(QPointF(x, bottom), QPointF(x, self._y(area, float(high[column]))))
            return
        for piece in _unbroken(high):
            points = [QPointF(first + (i + 0.5) * step, self._y(area, float(high[i]))) for i in range(*piece)]
            painter.drawPolyline(QPolygonF(points)) if len(points) > 1 else painter.drawPoint(points[0])

    def _paint_bars(self, painter: QPainter, series: Series, area: QRectF, colour: QColor) -> None:
        base = self._y(area, max(self.bounds()[0], 0.0))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for index, value in enumerate(series.values.tolist()):
            if value == value:  # NaN leaves a gap
                left = round(self._x(area, series.first + index))
                right = round(self._x(area, series.first + index + 1))
                top = self._y(area, value)
                painter.fillRect(
                    QRectF(left, top, max(right - left - (2 if right - left > 6 else 1), 1), base - top), colour
                )

    def _paint_mark(self, painter: QPainter, area: QRectF, index: int | None, role: str) -> None:
        assert self._data is not None
        first, last = extent(self._data)
        if index is None or not first <= index < last:
            return
        x = round(self._x(area, index + 0.5)) + 0.5
        painter.setPen(QPen(self._palette.colour(role), 1))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _paint_legend(self, painter: QPainter) -> None:
        """The names of several series at the right of the title, in their own colours."""
        assert self._data is not None
        right, metrics = float(self.width() - RIGHT), painter.fontMetrics()
        for series in reversed(self._data.series):
            if series.label:
                width = metrics.horizontalAdvance(series.label)
                painter.setPen(self._colour(series.role))
                painter.drawText(QPointF(right - width, 2 + metrics.ascent()), series.label)
                right -= width + 12

    def _colour(self, role: str) -> QColor:
        name, _, number = role.partition(":")
        return self._palette.category(int(number)) if number else self._palette.colour(name)

    def _index_at(self, place: QPointF) -> int | None:
        if self._data is None:
            return None
        area, (first, last) = self.area(), extent(self._data)
        if not area.left() <= place.x() < area.right() or last <= first:
            return None
        return min(first + int((place.x() - area.left()) / area.width() * (last - first)), last - 1)

    def _set_hover(self, index: int | None) -> None:
        if index != self._hover:
            self._hover = index
            self.update()
            self.hovered.emit(index)


def extent(data: ChartData) -> tuple[int, int]:
    """The indices [a, b) that any series has."""
    if not data.series:
        return 0, 0
    return min(each.first for each in data.series), max(each.first + len(each.values) for each in data.series)


def value_range(data: ChartData) -> tuple[float, float]:
    """The values at the bottom and the top: as given, or of the finite numbers, a little above the largest."""
    known = [each.values[np.isfinite(each.values)] for each in data.series]
    least = min((float(values.min()) for values in known if len(values)), default=0.0)
    most = max((float(values.max()) for values in known if len(values)), default=1.0)
    low = least if data.low is None else data.low
    high = data.high if data.high is not None else most + 0.04 * (most - low)
    return low, (high if high > low else low + 1.0)


def by_pixel(values: NDArray[np.float32], pixels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and largest value of each pixel column; the values themselves where there is room for all."""
    if len(values) <= pixels:
        return values, values
    edges = (np.arange(pixels) * len(values)) // pixels
    return np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges)


def _unbroken(values: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Runs [a, b) without NaN."""
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _index_ticks(data: ChartData, first: int, last: int) -> list[tuple[int, str]]:
    if data.names:
        return [(index, name) for index, name in enumerate(data.names, start=first) if name]
    places = [round(place) for place in nice_ticks(first, last - 1, most=4, whole=True)]
    texts = [f"{place:,}" for place in places]
    if data.across and texts:
        texts[-1] = f"{texts[-1]} {data.across}"
    return list(zip(places, texts, strict=True))
