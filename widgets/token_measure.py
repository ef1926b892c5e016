"""What the token strip's chips are coloured by, and the slim legend that says so."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.palette import DARK, Palette

MeasureKind = Literal["sequential", "category"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Measure:
    """What chips are coloured by: `values` float32 [T], NaN where unknown; categories are whole numbers."""

    name: str = ""
    values: NDArray[np.float32]
    low: float = 0.0
    high: float = 1.0
    kind: MeasureKind = "sequential"

    def value(self, token: int) -> float:
        """One token's value; NaN beyond the last."""
        return float(self.values[token]) if token < len(self.values) else math.nan

    def step(self, token: int) -> int | None:
        """The place in the colour table, 0 to 255, or the category's number; None where unknown."""
        value = self.value(token)
        if math.isnan(value):
            return None
        if self.kind == "category":
            return int(value)
        span = self.high - self.low if self.high > self.low else 1.0
        return int(min(max((value - self.low) / span, 0.0), 1.0) * 255 + 0.5)


NOTHING = Measure(values=np.zeros(0, dtype=np.float32))


class MeasureLegend(QWidget):
    """A slim bar with the two ends of a sequential measure."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(136, 16)
        self._palette: Palette = DARK
        self._measure = NOTHING

    def show_measure(self, measure: Measure) -> None:
        """The measure whose ends are named."""
        self._measure = measure
        self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._measure.name or self._measure.kind == "category":
            return
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(self._palette.colour("muted"))
        low, high = (f"{value:g}".replace("-", "−") for value in (self._measure.low, self._measure.high))
        right = self.width() - 6 - painter.fontMetrics().horizontalAdvance(high)
        left = 6 + painter.fontMetrics().horizontalAdvance(low)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect().adjusted(0, 0, -2, 0), middle | Qt.AlignmentFlag.AlignRight, high)
        painter.drawText(self.rect(), middle, low)
        bar = QRectF(left, self.height() / 2 - 3, right - left - 2, 6)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for index, stop in enumerate(self._palette.sequential):
            gradient.setColorAt(index / (len(self._palette.sequential) - 1), QColor(stop))
        painter.fillRect(bar, QBrush(gradient))
        painter.setPen(QPen(self._palette.colour("line"), 1))
        painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))
