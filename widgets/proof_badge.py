"""The badge that says whether rebuilt attention was checked against the plain pass."""

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from widgets.dot import paint_dot
from widgets.palette import DARK, Palette
from widgets.plain_text import plain_tooltip

ProofState = Literal["unknown", "running", "passed", "failed"]

HEIGHT, MARGIN, GAP = 28, 12, 8
TONES: dict[ProofState, str] = {"unknown": "faint", "running": "accent", "passed": "good", "failed": "bad"}


class ProofBadge(QAbstractButton):
    """A lamp, one word and the measured difference; a click asks for the proof again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._state: ProofState = "unknown"
        self._detail = ""
        self.setFixedHeight(HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.show_proof("unknown", text="", tooltip="")

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self.update()

    def show_proof(self, state: ProofState, *, text: str, tooltip: str) -> None:
        """Show the outcome; `text` is the short figure beside it, such as `max |Δ| 3.1e-7`."""
        self._state, self._detail = state, text
        words = {
            "unknown": self.tr("not proved yet"),
            "running": self.tr("proving…"),
            "passed": self.tr("proved"),
            "failed": self.tr("not proved"),
        }
        self.setText(words[state])
        self.setToolTip(plain_tooltip(tooltip))
        self.setAccessibleName(f"{words[state]} {text}".strip())
        self.setAccessibleDescription(tooltip)
        self.updateGeometry()
        self.update()

    def state(self) -> ProofState:
        """The outcome shown."""
        return self._state

    def sizeHint(self) -> QSize:
        width = 2 * MARGIN + 8 + GAP + self._word_metrics().horizontalAdvance(self.text())
        if self._detail:
            width += GAP + self.fontMetrics().horizontalAdvance(self._detail)
        return QSize(width + 2, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._edge(), 1.0))
        painter.setBrush(self._palette.colour("raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        middle = self.height() / 2
        paint_dot(painter, centre=QPointF(MARGIN + 4, middle), colour=self._palette.colour(TONES[self._state]))
        left = float(MARGIN + 8 + GAP)
        left = self._write(painter, self.text(), left=left, font=self._word_font(), role="text") + GAP
        self._write(painter, self._detail, left=left, font=self.font(), role="muted")

    def _edge(self) -> QColor:
        if self.hasFocus():
            return self._palette.colour("accent")
        quiet = self._state in ("unknown", "running")
        return self._palette.colour("line" if quiet and not self.underMouse() else TONES[self._state])

    def _write(self, painter: QPainter, text: str, *, left: float, font: QFont, role: str) -> float:
        painter.setFont(font)
        painter.setPen(self._palette.colour(role))
        width = QFontMetrics(font).horizontalAdvance(text)
        painter.drawText(QRectF(left, 0, width + 4, self.height()), Qt.AlignmentFlag.AlignVCenter, text)
        return left + width

    def _word_font(self) -> QFont:
        return self.font()

    def _word_metrics(self) -> QFontMetrics:
        return QFontMetrics(self._word_font())
