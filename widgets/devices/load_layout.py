"""Where bars, traffic and titles of the load picture lie."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF

from widgets.devices.bars import Bars, axis_end, place_bars
from widgets.devices.data import DeviceLoad

LINE = 14.0
LEFT = 52.0
TOP = 34.0
BOTTOM = 28.0
RIGHT = 14.0
EDGE = 4.0
EDGE_APART = 3.0
LEAST_MATRIX = 90.0
MOST_MATRIX = 340.0
MATRIX_SHARE = 0.36


@dataclass(frozen=True, slots=True)
class LoadPlace:
    """What lies under the mouse: a bar (`row` counts MoE layers), or traffic from `sender` to `device`."""

    row: int | None = None
    device: int | None = None
    sender: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoadLayout:
    """A load laid out: `chart` holds the bars from 0 to `end`, `matrix` the traffic."""

    load: DeviceLoad
    chart: QRectF
    matrix: QRectF
    bars: Bars
    end: float

    @property
    def cell(self) -> float:
        """Side of a cell of the traffic in pixels."""
        return self.matrix.width() / self.load.devices

    def height_of(self, value: float) -> float:
        """Pixels above the axis."""
        return self.chart.height() * value / self.end

    def bar_rectangle(self, row: int, device: int) -> QRectF:
        """Where a bar lies."""
        left, width = self.bars.bar(row, device)
        height = round(self.height_of(float(self.load.device_load[row, device])))
        return QRectF(self.chart.left() + left, self.chart.bottom() - height, width, height)

    def cell_rectangle(self, sender: int, receiver: int) -> QRectF:
        """Where a cell of the traffic lies."""
        cell = self.cell
        return QRectF(self.matrix.left() + receiver * cell, self.matrix.top() + sender * cell, cell, cell)

    def at(self, place: QPointF) -> LoadPlace | None:
        """What lies at a place; above a bar counts as the bar, below the axis as its layer."""
        last = self.load.devices - 1
        if self.matrix.contains(place):
            sender = min(int((place.y() - self.matrix.top()) / self.cell), last)
            return LoadPlace(device=min(int((place.x() - self.matrix.left()) / self.cell), last), sender=sender)
        if not self.chart.top() <= place.y() <= self.chart.bottom() + BOTTOM:
            return None
        found = self.bars.at(place.x() - self.chart.left())
        if found is None:
            return None
        return LoadPlace(row=found[0], device=found[1] if place.y() <= self.chart.bottom() else None)


def lay_out_load(load: DeviceLoad, *, width: float, height: float, mean_room: float, chosen: int | None) -> LoadLayout:
    """Lay a load out in a widget of this size; `mean_room` pixels are kept for the name of the mean line."""
    room = min(height - TOP - BOTTOM, MATRIX_SHARE * (width - LEFT), MOST_MATRIX)
    side = max(1.0, max(room, LEAST_MATRIX) // load.devices) * load.devices
    matrix = QRectF(width - RIGHT - side, TOP, side, side)
    right = matrix.left() - EDGE - EDGE_APART - mean_room - 22
    chart = QRectF(LEFT, TOP, max(20.0, right - LEFT), max(10.0, height - TOP - BOTTOM))
    bars = place_bars(len(load.layers), load.devices, width=chart.width(), chosen=chosen)
    end = axis_end(float(load.device_load.max(initial=0.0)))
    return LoadLayout(load, chart, matrix, bars, end)
