"""The run from left to right, one cell per token: what was prefilled, decoded, and is still planned."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from widgets.figures import duration_text, tabular
from widgets.palette import DARK, Palette
from widgets.selection import Selection
from widgets.timeline_cells import Cells, lay_out, strengths

Colouring = Literal["time", "probability"]

HEIGHT, MARGIN = 58, 14
LABEL_TOP, LABEL_HEIGHT, CELL_TOP, CELL_HEIGHT = 7, 16, 28, 14
LABEL_PIXELS = 11
BUTTON_STYLE = "QPushButton { padding: 0; font-size: 11px; }"
STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -16, Qt.Key.Key_PageDown: 16}
ENDS = {Qt.Key.Key_Home: -(10**9), Qt.Key.Key_End: 10**9}
NOTHING = np.zeros(0, dtype=np.float32)


class Timeline(QWidget):
    """Grey cells were prefilled, accent cells decoded; the stronger, the slower (or the more probable).

    Signals: `token_chosen(int)` while dragging and by keyboard, `colouring_chosen(str)` time | probability,
    `hovered_text(str)`, empty when the mouse leaves.
    """

    token_chosen = Signal(int)
    colouring_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._prompt, self._fed, self._planned = 0, 0, 0
        self._seconds, self._probabilities = NOTHING, NOTHING
        self._colouring: Colouring = "time"
        self._selected: int | None = None
        self._hovered: int | None = None
        self._asked: int | None = None
        self._cells = lay_out(0, width=0)
        self._hint = self.tr("Run a prompt: every token will be one cell here; drag to scrub through the run.")
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Timeline"))
        self._colour_button = self._button()
        self.show_colouring("time")
        self.clear()

    def sizeHint(self) -> QSize:
        return QSize(640, HEIGHT)

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self.update()

    def show_run(
        self, prompt_tokens: int, fed_tokens: int, planned_tokens: int, seconds: NDArray[np.float32] | None = None
    ) -> None:
        """Show a run: tokens of the prompt, fed so far and planned in all; `seconds` float32 [fed], NaN unknown."""
        self._prompt, self._fed = prompt_tokens, fed_tokens
        self._planned = max(planned_tokens, fed_tokens)
        self._seconds = NOTHING if seconds is None else seconds[:fed_tokens]
        self._colour_button.setVisible(self._fed > 0)
        self.setAccessibleDescription(self._summary())
        self._place()

    def show_probabilities(self, probabilities: NDArray[np.float32]) -> None:
        """Give the probability of each fed token, float32 [fed], NaN unknown."""
        self._probabilities = probabilities
        self.update()

    def show_colouring(self, colouring: Colouring) -> None:
        """Choose what the shades mean."""
        self._colouring = colouring
        words = {"time": self.tr("coloured by time per token"), "probability": self.tr("coloured by probability")}
        self._colour_button.setText(words[colouring])
        self._place_button()
        self.update()

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected token's cell."""
        self._selected = selection.token
        self._asked = selection.token
        self.update()

    def clear(self, hint: str | None = None) -> None:
        """Show the empty state."""
        self._hint = hint or self._hint
        self._probabilities = NOTHING
        self.show_run(0, 0, 0)
        self.setAccessibleDescription(self._hint)

    def cells(self) -> Cells:
        """How tokens are laid out now."""
        return self._cells

    def cell_rect(self, token: int) -> QRectF:
        """Where the cell of a token is drawn."""
        cell = self._cells.cell_of(token)
        left = MARGIN + cell * self._cells.pitch
        return QRectF(left, CELL_TOP, max(self._cells.pitch - self._cells.gap, 1.0), CELL_HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._palette.colour("surface"))
        painter.fillRect(0, 0, self.width(), 1, self._palette.colour("line"))
        if not self._planned:
            painter.setPen(self._palette.colour("muted"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._hint)
            return
        self._paint_labels(painter)
        self._paint_cells(painter)
        self._paint_frames(painter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._asked = None
        self._scrub(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        token = self._token_at(event.position())
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._scrub(event.position())
        if token != self._hovered:
            self._hovered = token
            self.hovered_text.emit("" if token is None else self._reading(token))
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hovered = None
        self.hovered_text.emit("")
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {**STEPS, **ENDS}.get(Qt.Key(event.key()))
        if step is None or not self._fed:
            super().keyPressEvent(event)
            return
        start = self._fed - 1 if self._selected is None else self._selected
        wanted = min(max(start + step, 0), self._fed - 1)
        if wanted != self._selected:
            self.token_chosen.emit(wanted)

    def _place(self) -> None:
        self._cells = lay_out(self._planned, width=self.width() - 2 * MARGIN)
        self._place_button()
        self.update()

    def _place_button(self) -> None:
        self._colour_button.adjustSize()
        self._colour_button.move(self.width() - MARGIN - self._colour_button.width(), LABEL_TOP + 1)

    def _button(self) -> QPushButton:
        button = QPushButton(self)
        button.setProperty("role", "quiet")
        button.setStyleSheet(BUTTON_STYLE)
        button.setToolTip(self.tr("Colour by time per token or by probability"))
        button.clicked.connect(self._other_colouring)
        return button

    def _other_colouring(self) -> None:
        self.colouring_chosen.emit("probability" if self._colouring == "time" else "time")

    def _paint_labels(self, painter: QPainter) -> None:
        font = QFont(tabular(self.font()))
        font.setPixelSize(LABEL_PIXELS)
        painter.setFont(font)
        painter.setPen(self._palette.colour("muted"))
        prefilled = min(self._prompt, self._fed) if self._fed else self._prompt
        decoded = max(self._fed - self._prompt, 0)
        first = self.tr("prefill {tokens}").format(tokens=f"{prefilled:,}")
        end = self._write(painter, first, left=float(MARGIN))
        if self._planned > self._prompt:
            second = self.tr("decode {tokens}").format(tokens=f"{decoded:,}")
            self._write(painter, second, left=max(self.cell_rect(self._prompt).left(), end + 12))

    def _write(self, painter: QPainter, text: str, *, left: float) -> float:
        width = painter.fontMetrics().horizontalAdvance(text)
        limit = self._colour_button.x() - 12 - width if self._colour_button.isVisible() else self.width() - width
        left = max(min(left, limit), MARGIN)
        painter.drawText(QRectF(left, LABEL_TOP, width + 4, LABEL_HEIGHT), Qt.AlignmentFlag.AlignVCenter, text)
        return left + width

    def _paint_cells(self, painter: QPainter) -> None:
        strengths = self._strengths()
        first_decoded = self._cells.cell_of(self._prompt) if self._prompt else 0
        decoded, prefilled = self._palette.colour("accent"), self._palette.colour("faint")
        planned = self._palette.colour("line", 0.75)
        width = max(self._cells.pitch - self._cells.gap, 1.0)
        for cell in range(self._cells.count):
            colour = planned
            if cell < len(strengths):
                colour = decoded if cell >= first_decoded else prefilled
                colour.setAlphaF(float(strengths[cell]))
            painter.fillRect(QRectF(MARGIN + cell * self._cells.pitch, CELL_TOP, width, CELL_HEIGHT), colour)

    def _strengths(self) -> NDArray[np.float32]:
        if self._colouring == "probability":
            return strengths(self._probabilities, tokens=self._fed, cells=self._cells, parts=None)
        # Prefill and decode differ by orders of magnitude: each has its own range.
        return strengths(self._seconds, tokens=self._fed, cells=self._cells, parts=self._prompt)

    def _paint_frames(self, painter: QPainter) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for token, role in ((self._hovered, "muted"), (self._selected, "text")):
            if token is not None and token < self._planned:
                painter.setPen(QPen(self._palette.colour(role), 1.0))
                painter.drawRect(self.cell_rect(token).adjusted(-0.5, -1.5, 0.5, 1.5))

    def _token_at(self, place: QPointF) -> int | None:
        if not self._planned or place.x() < MARGIN or place.x() >= MARGIN + self._cells.count * self._cells.pitch:
            return None
        return min(self._cells.token_at(place.x() - MARGIN), self._planned - 1)

    def _scrub(self, place: QPointF) -> None:
        if not self._fed:
            return
        token = min(self._cells.token_at(place.x() - MARGIN), self._fed - 1)
        if token != self._asked:
            self._asked = token
            self.token_chosen.emit(token)

    def _reading(self, token: int) -> str:
        if token >= self._fed:
            return self.tr("token {token} · planned").format(token=f"{token:,}")
        last = min(token + self._cells.tokens_per_cell, self._fed) - 1
        name = self.tr("token {token}").format(token=f"{token:,}")
        if last > token:
            name = self.tr("tokens {first}–{last}").format(first=f"{token:,}", last=f"{last:,}")
        parts = [name, self.tr("prefill") if token < self._prompt else self.tr("decode")]
        seconds = _mean(self._seconds[token : last + 1])
        if seconds is not None:
            parts.append(self.tr("{time} per token").format(time=duration_text(seconds)))
        probability = _mean(self._probabilities[token : last + 1])
        if probability is not None:
            parts.append(self.tr("probability {value}").format(value=f"{probability:.3f}"))
        return " · ".join(parts)

    def _summary(self) -> str:
        text = self.tr("{prompt} tokens of prompt, {fed} tokens fed, {planned} planned")
        return text.format(prompt=self._prompt, fed=self._fed, planned=self._planned)


def _mean(values: NDArray[np.float32]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
