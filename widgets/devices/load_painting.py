"""Painting the load picture: titles, axis, bars or ranges, the mean, and the traffic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from widgets.devices.bars import axis_end, axis_ticks
from widgets.devices.data import DeviceLoad, TokenPath
from widgets.devices.load_layout import EDGE, EDGE_APART, LEFT, LINE, LoadLayout, LoadPlace
from widgets.palette import Palette, coloured, ink_on, sequential_table

TITLE_TOP = 8.0
TITLE_LEFT = 12.0
DIMMED = 0.55
LEAST_NUMBERED = 18.0
CENTRE = Qt.AlignmentFlag.AlignCenter
FROM_LEFT = Qt.AlignmentFlag.AlignVCenter
FROM_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class LoadWords:
    """The words in the picture."""

    load: str = ""
    traffic: str = ""
    mean: str = ""


@dataclass(frozen=True, slots=True)
class LoadMarks:
    """The chosen MoE row and device, what is hovered, and where the chosen token is sent."""

    row: int | None = None
    device: int | None = None
    hovered: LoadPlace | None = None
    path: TokenPath | None = None


@dataclass(frozen=True, slots=True)
class LoadPainting:
    """One picture; `paint` draws it all."""

    painter: QPainter
    layout: LoadLayout
    palette: Palette
    words: LoadWords
    marks: LoadMarks

    def paint(self) -> None:
        """Draw everything."""
        self._titles()
        self._axis()
        for row in range(len(self.layout.load.layers)):
            if self.layout.bars.has_bars(row):
                self._bars(row)
            else:
                self._range(row)
        self._layer_names()
        self._mean()
        self._traffic()
        self._device_edges()
        self._path()

    def _titles(self) -> None:
        """Both titles on one line; the right one keeps its room, the left one gets the rest."""
        metrics, matrix = self.painter.fontMetrics(), self.layout.matrix
        width = metrics.horizontalAdvance(self.words.traffic) + 2.0
        left = min(matrix.left() - EDGE - EDGE_APART, matrix.right() - width)
        room = left - TITLE_LEFT - 16
        self.painter.setPen(self.palette.colour("muted"))
        self.painter.drawText(QRectF(left, TITLE_TOP, width, LINE), FROM_LEFT, self.words.traffic)
        shown = metrics.elidedText(self.words.load, Qt.TextElideMode.ElideRight, int(room))
        self.painter.drawText(QRectF(TITLE_LEFT, TITLE_TOP, room, LINE), FROM_LEFT, shown)

    def _axis(self) -> None:
        chart = self.layout.chart
        for tick in axis_ticks(self.layout.end):
            y = round(chart.bottom() - self.layout.height_of(tick))
            line = self.palette.colour("line", 0.45 if tick else 1.0)
            self.painter.fillRect(QRectF(chart.left(), y, chart.width(), 1), line)
            self.painter.setPen(self.palette.colour("muted"))
            self.painter.drawText(QRectF(0, y - LINE / 2, LEFT - 8, LINE), FROM_RIGHT, short_number(tick))

    def _bars(self, row: int) -> None:
        for device in range(self.layout.load.devices):
            colour = self.palette.category(device)
            colour.setAlphaF(1.0 if self.marks.row in (None, row) else DIMMED)
            bar = self.layout.bar_rectangle(row, device)
            self.painter.fillRect(bar, colour)
            hovered = self.marks.hovered
            if (row, device) == (self.marks.row, self.marks.device):
                self._frame(bar, self.palette.colour("accent"))
            elif hovered is not None and (row, device) == (hovered.row, hovered.device):
                self._frame(bar, self.palette.colour("muted", 0.8))

    def _frame(self, area: QRectF, colour: QColor) -> None:
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        self.painter.setPen(QPen(colour, 1))
        self.painter.drawRect(area.adjusted(-1.5, -1.5, 0.5, 0.5))

    def _range(self, row: int) -> None:
        """A layer without room for its bars: from its least to its most loaded device."""
        chart, bars, loads = self.layout.chart, self.layout.bars, self.layout.load.device_load[row]
        top, bottom = (chart.bottom() - self.layout.height_of(float(value)) for value in (loads.max(), loads.min()))
        left, width = chart.left() + float(bars.left[row]), max(2.0, float(bars.right[row] - bars.left[row]))
        self.painter.fillRect(QRectF(left, bottom, width, chart.bottom() - bottom), self.palette.colour("faint", 0.18))
        self.painter.fillRect(QRectF(left, top, width, max(1.0, bottom - top)), self.palette.colour("faint", 0.6))

    def _layer_names(self) -> None:
        """Names of the layers that fit; the chosen one always."""
        chart, bars = self.layout.chart, self.layout.bars
        names = [f"L{layer}" for layer in self.layout.load.layers]
        room = self.painter.fontMetrics().horizontalAdvance(max(names, key=len, default="")) + 6.0
        middle = (bars.left + bars.right) / 2
        for row in fitting(middle, room=room, always=self.marks.row):
            self.painter.setPen(self.palette.colour("text" if row == self.marks.row else "muted"))
            area = QRectF(chart.left() + float(middle[row]) - 24, chart.bottom() + 7, 48, LINE)
            self.painter.drawText(area, CENTRE, names[row])

    def _mean(self) -> None:
        chart, loads = self.layout.chart, self.layout.load.device_load
        rows = loads if self.marks.row is None else loads[self.marks.row : self.marks.row + 1]
        mean = float(rows.mean()) if rows.size else 0.0
        y = round(chart.bottom() - self.layout.height_of(mean)) + 0.5
        self.painter.setPen(QPen(self.palette.colour("muted"), 1, Qt.PenStyle.DashLine))
        self.painter.drawLine(QPointF(chart.left(), y), QPointF(chart.right() + 4, y))
        area = QRectF(chart.right() + 8, y - LINE / 2, 80, LINE)
        self.painter.drawText(area, FROM_LEFT, f"{self.words.mean} {short_number(mean)}")

    def _traffic(self) -> None:
        matrix, devices, cell = self.layout.matrix, self.layout.load.devices, self.layout.cell
        colours = traffic_colours(self.layout.load, self.palette)
        image = QImage(colours.tobytes(), devices, devices, 4 * devices, QImage.Format.Format_RGBA8888).copy()
        self.painter.drawImage(matrix, image)
        surface = self.palette.colour("surface")
        for line in range(1, devices + 1 if self._gap() else 1):
            self.painter.fillRect(QRectF(matrix.left() + line * cell - 1, matrix.top(), 1, matrix.height()), surface)
            self.painter.fillRect(QRectF(matrix.left(), matrix.top() + line * cell - 1, matrix.width(), 1), surface)
        longest = short_number(float(self.layout.load.traffic.max(initial=0)), decimals=0)
        if cell >= LEAST_NUMBERED and self.painter.fontMetrics().horizontalAdvance(longest) + 4 <= cell:
            self._flows(colours)

    def _flows(self, colours: NDArray[np.uint8]) -> None:
        """Numbers in the cells of the traffic."""
        for sender, receiver in np.ndindex(colours.shape[:2]):
            colour = QColor(*(int(part) for part in colours[sender, receiver]))
            self.painter.setPen(self.palette.colour("muted") if sender == receiver else ink_on(colour))
            number = short_number(float(self.layout.load.traffic[sender, receiver]), decimals=0)
            area = self.layout.cell_rectangle(sender, receiver).adjusted(0, 0, -1, -1)
            self.painter.drawText(area, CENTRE, number)

    def _path(self) -> None:
        """Frames around the flows that the chosen token is part of."""
        path, devices = self.marks.path, self.layout.load.devices
        if path is None or path.home >= devices:
            return
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        self.painter.setPen(QPen(self.palette.colour("accent"), 2))
        for device in (device for device in path.devices if device < devices):
            area = self.layout.cell_rectangle(path.home, device)
            self.painter.drawRect(area.adjusted(1, 1, -2, -2))

    def _gap(self) -> float:
        return 1.0 if self.layout.cell >= 5 else 0.0

    def _device_edges(self) -> None:
        """The devices' colours along the traffic, and the chosen device's row and column."""
        matrix, cell, devices = self.layout.matrix, self.layout.cell, self.layout.load.devices
        long = cell - self._gap()
        for device in range(devices):
            colour, start = self.palette.category(device), device * cell
            self.painter.fillRect(QRectF(matrix.left() - EDGE - EDGE_APART, matrix.top() + start, EDGE, long), colour)
            self.painter.fillRect(QRectF(matrix.left() + start, matrix.bottom() + EDGE_APART, long, EDGE), colour)
        if self.marks.device is not None and self.marks.device < devices:
            start = self.marks.device * cell
            self.painter.setBrush(Qt.BrushStyle.NoBrush)
            self.painter.setPen(QPen(self.palette.colour("accent"), 1))
            self.painter.drawRect(QRectF(matrix.left() - 1, matrix.top() + start - 1, matrix.width() + 1, cell + 1))
            self.painter.drawRect(QRectF(matrix.left() + start - 1, matrix.top() - 1, cell + 1, matrix.height() + 1))


def fitting(middle: NDArray[np.float64], *, room: float, always: int | None) -> list[int]:
    """Names, `room` pixels each around their middles, that do not touch; the `always` one wins."""
    chosen: list[int] = []
    free = -np.inf
    for index, place in enumerate(middle):
        crowded = always is not None and abs(place - middle[always]) < room
        if index == always or (place - room / 2 >= free and not crowded):
            chosen.append(index)
            free = float(place) + room / 2
    return chosen


def short_number(value: float, *, decimals: int = 1) -> str:
    """A number in at most six characters: 46, 1.5, 12.5k, 3.4M; `decimals` only where they tell something."""
    for size, unit, from_here in ((1e9, "G", 1e9), (1e6, "M", 1e6), (1e3, "k", 1e4)):
        if value >= from_here:
            return _rounded(value / size, decimals if unit == "k" else 1) + unit
    return _rounded(value, decimals)


def _rounded(value: float, decimals: int) -> str:
    return f"{value:,.{decimals if decimals and value < 100 and value != int(value) else 0}f}"


def traffic_colours(load: DeviceLoad, palette: Palette) -> NDArray[np.uint8]:
    """Colours [N, N, 4] of the traffic, 0 to the largest flow between two devices; what stays is the background."""
    flows = load.traffic.astype(np.float32)
    np.fill_diagonal(flows, np.nan)
    known = flows[~np.isnan(flows)]
    table, masked = sequential_table(palette.sequential), palette.colour("background")
    return coloured(flows, table, low=0.0, high=axis_end(float(known.max(initial=0.0))), masked=masked)
