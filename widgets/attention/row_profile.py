"""What one query looks at: its strongest keys as bars, with the value of the chosen quantity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.attention.colour_scale import ColourScale, scale_for
from widgets.attention.data import Quantity, RowProfile
from widgets.attention.readout import probability, score
from widgets.attention.token_axis import label_text
from widgets.palette import DARK, Palette

PITCH, BAR = 20, 13
VALUE_WIDTH = 46


@dataclass(frozen=True, slots=True)
class Bar:
    """One key: `start` and `end` are fractions of the room for bars."""

    key: int
    value: float
    start: float
    end: float


def bars(row: RowProfile, quantity: Quantity, count: int) -> list[Bar]:
    """The `count` keys with the largest probabilities, strongest first; bars begin at zero.

    Probabilities grow from the left edge, the largest filling the room; scores grow from the middle.
    """
    keys = row.strongest(count).tolist()
    values = [float(row.values(quantity)[key]) for key in keys]
    largest = max((abs(value) for value in values), default=1.0) or 1.0
    if quantity == "probability":
        return [Bar(key, value, 0.0, value / largest) for key, value in zip(keys, values, strict=True)]
    ends = [0.5 + value / largest / 2 for value in values]
    return [Bar(k, v, min(0.5, end), max(0.5, end)) for k, v, end in zip(keys, values, ends, strict=True)]


class RowBars(QWidget):
    """The bars of the selected query.

    Signals: `key_chosen(int)`; `key_hovered(object)`, a key or None.
    """

    key_chosen = Signal(int)
    key_hovered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Strongest keys of the selected query"))
        self._palette: Palette = DARK
        self._texts: Sequence[str] = ()
        self._row: RowProfile | None = None
        self._quantity: Quantity = "probability"
        self._hover: int | None = None

    def show_tokens(self, texts: Sequence[str]) -> None:
        """The texts that keys are named by."""
        self._texts = texts
        self.update()

    def show_row(self, row: RowProfile | None, quantity: Quantity) -> None:
        """Draw this query's keys by this quantity."""
        self._row, self._quantity = row, quantity
        self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self.update()

    def shown_bars(self) -> list[Bar]:
        """The bars there is room for."""
        return [] if self._row is None else bars(self._row, self._quantity, self.height() // PITCH)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._row is None:
            painter.setPen(self._palette.colour("muted"))
            words = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), words, self.tr("Choose a token to see what it looks at."))
            return
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        shown = self.shown_bars()
        scale = scale_for(self._quantity, np.array([bar.value for bar in shown], dtype=np.float32))
        if self._quantity != "probability":
            self._paint_zero(painter)
        for index, bar in enumerate(shown):
            self._paint_bar(painter, index, bar, scale)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._key_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        key = self._key_at(event.position())
        if key is not None:
            self.key_chosen.emit(key)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def _label_width(self) -> float:
        return float(min(max(self.width() * 0.38, 62), 110))

    def _room(self) -> QRectF:
        left = self._label_width() + 8
        return QRectF(left, 0, max(self.width() - left - VALUE_WIDTH - 6, 10), self.height())

    def _paint_zero(self, painter: QPainter) -> None:
        room = self._room()
        middle = round(room.center().x()) + 0.5
        painter.setPen(QPen(self._palette.colour("line"), 1))
        painter.drawLine(QPointF(middle, 0), QPointF(middle, len(self.shown_bars()) * PITCH))

    def _paint_bar(self, painter: QPainter, index: int, bar: Bar, scale: ColourScale) -> None:
        top, room = index * PITCH, self._room()
        if bar.key == self._hover:
            painter.fillRect(QRectF(0, top, self.width(), PITCH), self._palette.colour("raised"))
        box = QRectF(
            room.left() + bar.start * room.width(),
            top + (PITCH - BAR) / 2,
            max((bar.end - bar.start) * room.width(), 1.0),
            BAR,
        )
        painter.setBrush(scale.colour(bar.value, self._palette))
        painter.setPen(QPen(self._palette.colour("line"), 1))
        painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
        self._paint_words(painter, top, bar, box)

    def _paint_words(self, painter: QPainter, top: int, bar: Bar, box: QRectF) -> None:
        metrics = painter.fontMetrics()
        number = f" {bar.key}"
        width = self._label_width()
        name = metrics.elidedText(
            label_text(self._texts, bar.key),
            Qt.TextElideMode.ElideRight,
            int(width - metrics.horizontalAdvance(number)),
        )
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(self._palette.colour("muted"))
        painter.drawText(QRectF(0, top, width, PITCH), middle | Qt.AlignmentFlag.AlignRight, name + number)
        painter.setPen(self._palette.colour("text"))
        if self._quantity == "probability":
            painter.drawText(QRectF(box.right() + 6, top, VALUE_WIDTH, PITCH), middle, probability(bar.value))
        else:
            right = QRectF(self.width() - VALUE_WIDTH, top, VALUE_WIDTH, PITCH)
            painter.drawText(right, middle | Qt.AlignmentFlag.AlignRight, score(bar.value))

    def _key_at(self, place: QPointF) -> int | None:
        index, shown = int(place.y() // PITCH), self.shown_bars()
        return shown[index].key if 0 <= index < len(shown) else None

    def _set_hover(self, key: int | None) -> None:
        if key != self._hover:
            self._hover = key
            self.update()
            self.key_hovered.emit(key)
