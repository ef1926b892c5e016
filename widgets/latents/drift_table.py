"""How far each head's maps drift when latents are kept in fewer bits: a table of bars, and a button to measure."""

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.latents.data import Drift
from widgets.memory.memory_curves import nice_ticks
from widgets.palette import DARK, Palette

PITCH, TITLE, LEFT = 22, 38, 60


class DriftTable(QWidget):
    """Signals: `measure_wanted()`."""

    measure_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QPushButton(self.tr("Measure drift"), self)
        self._words = QLabel("", self)
        self._words.setProperty("role", "muted")
        self._words.setWordWrap(True)
        self._bars = _Bars(self)
        row = QHBoxLayout()
        row.addWidget(self._button)
        row.addWidget(self._words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self._bars, 1)
        self._button.clicked.connect(self.measure_wanted)
        self.show_drift(None)

    def show_drift(self, drift: Drift | None, *, measuring: bool = False) -> None:
        """Draw what was measured; `measuring`: more is on its way."""
        self._bars.show_drift(drift)
        self._button.setEnabled(not measuring)
        self._button.setText(self.tr("Measuring…") if measuring else self.tr("Measure drift"))
        if drift is None:
            words = self.tr(
                "The map of every head with the latents kept in int8, fp8 (blocks of 128), 6 and 4 bits, against "
                "the map as it is: total variation, half of Σ|p − p′|, 0 to 1."
            )
        else:
            words = self.tr("mean total variation per head, worst row as a line · {0} of {1} rows").format(
                f"{drift.rows:,}", f"{drift.of:,}"
            )
        self._words.setText(words)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._bars.show_palette(palette)


class _Bars(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._palette: Palette = DARK
        self._drift: Drift | None = None

    def show_drift(self, drift: Drift | None) -> None:
        self._drift = drift
        self.update()

    def show_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        drift = self._drift
        if drift is None:
            return
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        each = max((self.width() - LEFT) / max(len(drift.formats), 1), 40.0)
        pitch = min(PITCH, (self.height() - TITLE) / max(len(drift.heads), 1))
        known = drift.worst[np.isfinite(drift.worst)]
        end = nice_ticks(0.0, max(float(known.max()) if known.size else 0.0, 1e-6), most=2)[-1]
        end = max(end, float(known.max()) if known.size else 1.0) or 1.0
        for column, name in enumerate(drift.formats):
            self._paint_title(painter, LEFT + column * each, name, int(drift.bytes[column]))
            for row, head in enumerate(drift.heads):
                top = TITLE + row * pitch
                if column == 0 and pitch >= 11:
                    painter.setPen(self._palette.colour("muted"))
                    box = QRectF(0, top, LEFT - 10, pitch)
                    words = self.tr("head {0}").format(head)
                    painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)
                mean, worst = float(drift.mean[row, column]), float(drift.worst[row, column])
                self._paint_bar(painter, QRectF(LEFT + column * each, top, each - 14, pitch), mean, worst, end)

    def _paint_title(self, painter: QPainter, left: float, name: str, size: int) -> None:
        painter.setPen(self._palette.colour("text"))
        painter.drawText(QRectF(left, 0, 200, 18), Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(self._palette.colour("muted"))
        words = self.tr("{0} B a token").format(f"{size:,}")
        painter.drawText(QRectF(left, 16, 200, 18), Qt.AlignmentFlag.AlignVCenter, words)

    def _paint_bar(self, painter: QPainter, box: QRectF, mean: float, worst: float, end: float) -> None:
        if mean != mean:
            return
        number = painter.fontMetrics().horizontalAdvance("0.0000") + 6
        room = max(box.width() - number, 12.0)
        middle = box.center().y()
        painter.setPen(QPen(self._palette.colour("faint"), 1))
        painter.drawLine(int(box.left()), int(middle), int(box.left() + worst / end * room), int(middle))
        height = min(box.height() - 6, 12.0)
        bar = QRectF(box.left(), middle - height / 2, max(mean / end * room, 1.0), height)
        painter.fillRect(bar, self._palette.colour("accent"))
        if box.height() >= 11:
            painter.setPen(self._palette.colour("text"))
            where = QRectF(box.right() - number, box.top(), number, box.height())
            painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, share(mean))


def share(value: float) -> str:
    """A total variation with digits enough to tell it from nothing."""
    return f"{value:.3f}" if value >= 0.0995 else f"{value:.4f}" if value >= 0.00095 else f"{value:.0e}"
