"""The load of simulated devices: bars per layer and device, and who sends tokens to whom.

Longer than most files: the painting, the mouse and the keys of one picture belong together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from widgets.devices.bars import Bars, axis_end, axis_ticks, place_bars
from widgets.devices.data import DeviceLoad
from widgets.palette import DARK, Palette, coloured, ink_on, sequential_table

TEXT_PIXELS = 11
LINE = 14.0
LEFT = 52.0
TOP = 34.0
BOTTOM = 28.0
RIGHT = 14.0
TITLE_TOP = 8.0
EDGE = 4.0
DIMMED = 0.55
LEAST_MATRIX = 90.0
LEAST_NUMBERED = 18.0


@dataclass(frozen=True, slots=True)
class LoadPlace:
    """What lies under the mouse: a bar (`layer` is a row number), or a cell of the traffic."""

    row: int | None = None
    device: int | None = None
    sender: int | None = None


class LoadCanvas(QWidget):
    """Bars at the left, traffic at the right.

    Signals: `device_chosen(int)`, `row_chosen(int)`, `place_hovered(object)`: a LoadPlace, or None.
    """

    device_chosen = Signal(int)
    row_chosen = Signal(int)
    place_hovered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._palette = DARK
        self._load: DeviceLoad | None = None
        self._row: int | None = None
        self._device: int | None = None
        self._hover: LoadPlace | None = None
        self.load_title = ""
        self.traffic_title = ""
        self.mean_word = ""

    def show_load(self, load: DeviceLoad | None) -> None:
        """Draw another load."""
        self._load = load
        self.update()

    def show_chosen(self, row: int | None, device: int | None) -> None:
        """Draw a layer's row in full ink and frame a device."""
        if (row, device) != (self._row, self._device):
            self._row, self._device = row, device
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._palette = palette
        self.update()

    # What is where

    def matrix_rectangle(self) -> QRectF:
        """The square of the traffic, in pixels of this widget."""
        devices = self._load.devices if self._load is not None else 1
        room = min(self.height() - TOP - BOTTOM, 0.36 * (self.width() - LEFT), 340.0)
        cell = max(1.0, max(room, LEAST_MATRIX) // devices)
        side = cell * devices
        return QRectF(self.width() - RIGHT - side, TOP, side, side)

    def _chart(self) -> QRectF:
        mean = QFontMetricsF(self._small_font()).horizontalAdvance(f"{self.mean_word} {short_number(88.8)}8")
        right = self.matrix_rectangle().left() - EDGE - 3 - mean - 22
        return QRectF(LEFT, TOP, max(20.0, right - LEFT), max(10.0, self.height() - TOP - BOTTOM))

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(TEXT_PIXELS)
        return font

    def _bars(self) -> Bars:
        assert self._load is not None
        return place_bars(len(self._load.layers), self._load.devices, width=self._chart().width(), chosen=self._row)

    def _end(self) -> float:
        assert self._load is not None
        return axis_end(float(self._load.device_load.max()) if self._load.device_load.size else 1.0)

    def bar_rectangle(self, row: int, device: int) -> QRectF:
        """Where a bar lies, in pixels of this widget."""
        assert self._load is not None
        chart = self._chart()
        left, width = self._bars().bar(row, device)
        height = round(chart.height() * float(self._load.device_load[row, device]) / self._end())
        return QRectF(chart.left() + left, chart.bottom() - height, width, height)

    def _place_at(self, place: QPointF) -> LoadPlace | None:
        if self._load is None:
            return None
        chart, matrix = self._chart(), self.matrix_rectangle()
        if matrix.contains(place):
            cell = matrix.width() / self._load.devices
            sender = int((place.y() - matrix.top()) / cell)
            receiver = int((place.x() - matrix.left()) / cell)
            return LoadPlace(device=min(receiver, self._load.devices - 1), sender=min(sender, self._load.devices - 1))
        if chart.top() <= place.y() <= chart.bottom() + BOTTOM:
            found = self._bars().at(place.x() - chart.left())
            if found is not None:
                return LoadPlace(row=found[0], device=found[1] if place.y() <= chart.bottom() else None)
        return None

    # Painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._load is None:
            return
        painter = QPainter(self)
        painter.setFont(self._small_font())
        self._paint_titles(painter)
        self._paint_axis(painter)
        self._paint_groups(painter)
        self._paint_mean(painter)
        self._paint_traffic(painter)

    def _paint_titles(self, painter: QPainter) -> None:
        """Both titles on one line; the right one keeps its room, the left one gets the rest."""
        metrics, matrix = painter.fontMetrics(), self.matrix_rectangle()
        width = metrics.horizontalAdvance(self.traffic_title) + 2.0
        left = min(matrix.left() - EDGE - 3, matrix.right() - width)
        painter.setPen(self._palette.colour("muted"))
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, TITLE_TOP, width, LINE), flags, self.traffic_title)
        room = left - 16 - 12
        words = metrics.elidedText(self.load_title, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(QRectF(12, TITLE_TOP, room, LINE), flags, words)

    def _paint_axis(self, painter: QPainter) -> None:
        chart, end = self._chart(), self._end()
        for tick in axis_ticks(end):
            y = round(chart.bottom() - chart.height() * tick / end)
            painter.fillRect(
                QRectF(chart.left(), y, chart.width(), 1), self._palette.colour("line", 0.45 if tick else 1.0)
            )
            painter.setPen(self._palette.colour("muted"))
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - LINE / 2, LEFT - 8, LINE), flags, short_number(tick))

    def _paint_groups(self, painter: QPainter) -> None:
        assert self._load is not None
        chart, bars = self._chart(), self._bars()
        for row in range(len(self._load.layers)):
            alpha = 1.0 if row == self._row or self._row is None else DIMMED
            if bars.has_bars(row):
                self._paint_bars(painter, row, alpha)
            else:
                self._paint_range(painter, bars, row)
        names = [f"L{layer}" for layer in self._load.layers]
        room = painter.fontMetrics().horizontalAdvance(max(names, key=len)) + 6.0
        free = -np.inf
        own = None if self._row is None else float(bars.left[self._row] + bars.right[self._row]) / 2
        for row, name in enumerate(names):
            middle = float(bars.left[row] + bars.right[row]) / 2
            crowded = middle - room / 2 < free or (own is not None and row != self._row and abs(middle - own) < room)
            if crowded and row != self._row:
                continue
            free = middle + room / 2
            painter.setPen(self._palette.colour("text" if row == self._row else "muted"))
            area = QRectF(chart.left() + middle - 24, chart.bottom() + 7, 48, LINE)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_bars(self, painter: QPainter, row: int, alpha: float) -> None:
        assert self._load is not None
        for device in range(self._load.devices):
            colour = self._palette.category(device)
            colour.setAlphaF(alpha)
            bar = self.bar_rectangle(row, device)
            painter.fillRect(bar, colour)
            hovered = self._hover is not None and (self._hover.row, self._hover.device) == (row, device)
            if device == self._device and row == self._row:
                self._frame(painter, bar, self._palette.colour("accent"))
            elif hovered:
                self._frame(painter, bar, self._palette.colour("muted", 0.8))

    def _frame(self, painter: QPainter, area: QRectF, colour: QColor) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1))
        painter.drawRect(area.adjusted(-1.5, -1.5, 0.5, 0.5))

    def _paint_range(self, painter: QPainter, bars: Bars, row: int) -> None:
        """A layer without room for its bars: from its least to its most loaded device."""
        assert self._load is not None
        chart, end, loads = self._chart(), self._end(), self._load.device_load[row]
        top, bottom = (chart.bottom() - chart.height() * float(value) / end for value in (loads.max(), loads.min()))
        left = chart.left() + float(bars.left[row])
        width = max(2.0, float(bars.right[row] - bars.left[row]))
        painter.fillRect(QRectF(left, bottom, width, chart.bottom() - bottom), self._palette.colour("faint", 0.18))
        painter.fillRect(QRectF(left, top, width, max(1.0, bottom - top)), self._palette.colour("faint", 0.6))

    def _paint_mean(self, painter: QPainter) -> None:
        assert self._load is not None
        chart = self._chart()
        rows = self._load.device_load if self._row is None else self._load.device_load[self._row : self._row + 1]
        mean = float(rows.mean()) if rows.size else 0.0
        y = round(chart.bottom() - chart.height() * mean / self._end()) + 0.5
        pen = QPen(self._palette.colour("muted"), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(QPointF(chart.left(), y), QPointF(chart.right() + 4, y))
        area = QRectF(chart.right() + 8, y - LINE / 2, 80, LINE)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, f"{self.mean_word} {short_number(mean)}")

    def _paint_traffic(self, painter: QPainter) -> None:
        assert self._load is not None
        matrix, devices = self.matrix_rectangle(), self._load.devices
        cell = matrix.width() / devices
        colours = traffic_colours(self._load, self._palette)
        gap = 1.0 if cell >= 5 else 0.0
        image = QImage(colours.tobytes(), devices, devices, 4 * devices, QImage.Format.Format_RGBA8888).copy()
        painter.drawImage(matrix, image)
        for line in range(devices if gap else 0):
            place = (line + 1) * cell - gap
            surface = self._palette.colour("surface")
            painter.fillRect(QRectF(matrix.left() + place, matrix.top(), gap, matrix.height()), surface)
            painter.fillRect(QRectF(matrix.left(), matrix.top() + place, matrix.width(), gap), surface)
        self._paint_flows(painter, colours, cell)
        for device in range(devices):
            colour = self._palette.category(device)
            start = device * cell
            painter.fillRect(QRectF(matrix.left() - EDGE - 3, matrix.top() + start, EDGE, cell - gap), colour)
            painter.fillRect(QRectF(matrix.left() + start, matrix.bottom() + 3, cell - gap, EDGE), colour)
        if self._device is not None and self._device < devices:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._palette.colour("accent"), 1))
            start = self._device * cell
            painter.drawRect(QRectF(matrix.left() - 1, matrix.top() + start - 1, matrix.width() + 1, cell + 1))
            painter.drawRect(QRectF(matrix.left() + start - 1, matrix.top() - 1, cell + 1, matrix.height() + 1))

    def _paint_flows(self, painter: QPainter, colours: NDArray[np.uint8], cell: float) -> None:
        """Numbers in the cells of the traffic, as long as all of them fit."""
        assert self._load is not None
        matrix, traffic = self.matrix_rectangle(), self._load.traffic
        longest = short_number(float(traffic.max(initial=0)), decimals=0)
        if cell < LEAST_NUMBERED or painter.fontMetrics().horizontalAdvance(longest) + 4 > cell:
            return
        for sender, receiver in np.ndindex(traffic.shape):
            area = QRectF(matrix.left() + receiver * cell, matrix.top() + sender * cell, cell - 1, cell - 1)
            colour = QColor(*(int(part) for part in colours[sender, receiver]))
            painter.setPen(self._palette.colour("muted") if sender == receiver else ink_on(colour))
            number = short_number(float(traffic[sender, receiver]), decimals=0)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, number)

    # Mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._show_hover(self._place_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_hover(None)

    def _show_hover(self, place: LoadPlace | None) -> None:
        if place != self._hover:
            self._hover = place
            self.place_hovered.emit(place)
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if place is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if place.row is not None:
            self.row_chosen.emit(place.row)
        if place.device is not None:
            self.device_chosen.emit(place.device)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        key = Qt.Key(event.key())
        if self._load is None or key not in steps:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.device_chosen.emit(_stepped(self._device, steps[key], self._load.devices))
        else:
            self.row_chosen.emit(_stepped(self._row, steps[key], len(self._load.layers)))


def _stepped(here: int | None, step: int, count: int) -> int:
    return 0 if here is None else min(max(here + step, 0), count - 1)


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
    high = axis_end(float(known.max())) if known.size and known.max() > 0 else 1.0
    return coloured(
        flows, sequential_table(palette.sequential), low=0.0, high=high, masked=palette.colour("background")
    )
