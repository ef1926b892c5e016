"""The chips of the token strip: wrapped lines that scroll, painted only where they are in view."""

import math
from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)  # fmt: skip
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from widgets.palette import DARK, Palette, contrast, ink_on, sequential_table
from widgets.token_lines import TokenLines
from widgets.token_measure import NOTHING, Measure
from widgets.token_text import visible

MONO_FAMILIES = ("JetBrains Mono", "SF Mono", "Cascadia Mono", "Noto Sans Mono", "DejaVu Sans Mono")
TOKEN_PIXELS = 12
CHIP, PITCH, GAP, INSET = 20, 25, 4, 5  # pixels: height of a chip, of a line, between chips, inside a chip
DIVIDER = 8  # extra room before the first generated token


class TokenChips(QAbstractScrollArea):
    """The chips; only lines in view are painted. Signals: `chosen(int)`; `hovered(object)`, a token or None."""

    chosen = Signal(int)
    hovered = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Tokens"))
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self._palette: Palette = DARK
        self._names: list[str] = []
        self._known: list[str] = []
        self._widths: dict[str, tuple[str, float]] = {}
        self._lines = TokenLines(gap=GAP)
        self._prompt_tokens = 0
        self._measure = NOTHING
        self._swatches: dict[int | None, tuple[QColor, QColor, bool]] = {}
        self._chosen: int | None = None
        self._hover: int | None = None
        self._hint = ""
        self._font = QFont()
        self._set_font()

    def show_tokens(self, texts: Sequence[str], prompt_tokens: int) -> None:
        """Add what is new at the end; begin anew when the beginning changed."""
        follows = self.verticalScrollBar().value() >= self.verticalScrollBar().maximum()
        if prompt_tokens != self._prompt_tokens or list(texts[: len(self._known)]) != self._known:
            self._forget()
            self._prompt_tokens = prompt_tokens
        self._append(texts[len(self._known) :])
        self._update_range()
        if follows:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self.viewport().update()

    def show_measure(self, measure: Measure) -> None:
        """Colour the chips."""
        if measure.kind != self._measure.kind:
            self._swatches.clear()
        self._measure = measure
        self.viewport().update()

    def show_chosen(self, token: int | None) -> None:
        """Frame one chip and scroll to it."""
        if token == self._chosen:
            return
        self._chosen = token
        if token is not None and token < len(self._lines):
            self._bring_into_view(self._lines.line_of(token))
        self.viewport().update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self._swatches.clear()
        self.viewport().update()

    def show_hint(self, hint: str) -> None:
        """What to say while there is no token."""
        self._hint = hint

    def words(self, token: int) -> str:
        """One token in full: number, text, origin, measure."""
        origin = self.tr("prompt") if token < self._prompt_tokens else self.tr("generated")
        words = self.tr("token {0} “{1}”  {2}").format(token, self._names[token], origin)
        value = self._measure.value(token)
        if not self._measure.name or math.isnan(value):
            return words
        number = f"{value:g}" if self._measure.kind == "category" else f"{value:.3f}"
        return f"{words}  {self._measure.name} {number}".replace(" -", " −")

    def chip(self, token: int) -> QRectF:
        """Where a chip lies in the viewport."""
        left, right = self._lines.place(token)
        top = self._lines.line_of(token) * PITCH - self.verticalScrollBar().value()
        lead = DIVIDER if self._starts_answer(token) else 0
        return QRectF(left + lead + 1, top + 1, right - left - lead, CHIP)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not len(self._lines):
            painter.setPen(self._palette.colour("muted"))
            words = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
            painter.drawText(self.viewport().rect().adjusted(2, 1, 0, 0), words, self._hint)
            return
        offset = self.verticalScrollBar().value()
        first = max((event.rect().top() + offset) // PITCH - 1, 0)
        last = min((event.rect().bottom() + offset) // PITCH + 1, self._lines.lines())
        for line in range(first, last):
            for token in self._lines.tokens_in(line):
                self._paint_chip(painter, token)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        follows = self.verticalScrollBar().value() >= self.verticalScrollBar().maximum()
        self._lines.wrap(self.viewport().width() - 3)
        self._update_range()
        if follows:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        token = self._token_at(event.position())
        if token is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(token)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._token_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        target = self._target(Qt.Key(event.key()))
        if target is None:
            super().keyPressEvent(event)
        else:
            self.chosen.emit(target)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._set_font()
            known = self._known
            self._forget()
            self._append(known)
            self._update_range()

    def _target(self, key: Qt.Key) -> int | None:
        last = len(self._lines) - 1
        if last < 0:
            return None
        now = last if self._chosen is None else min(self._chosen, last)
        moves: dict[Qt.Key, Callable[[], int]] = {
            Qt.Key.Key_Left: lambda: max(now - 1, 0),
            Qt.Key.Key_Right: lambda: min(now + 1, last),
            Qt.Key.Key_Home: lambda: 0,
            Qt.Key.Key_End: lambda: last,
            Qt.Key.Key_Up: lambda: self._beside(now, -1),
            Qt.Key.Key_Down: lambda: self._beside(now, 1),
        }
        return moves[key]() if key in moves else None

    def _beside(self, token: int, step: int) -> int:
        line = self._lines.line_of(token) + step
        if not 0 <= line < self._lines.lines():
            return token
        return self._lines.nearest(line, sum(self._lines.place(token)) / 2)

    def _forget(self) -> None:
        self._known, self._names, self._hover = [], [], None
        self._lines.clear()

    def _append(self, texts: Sequence[str]) -> None:
        widths = []
        for token, text in enumerate(texts, start=len(self._known)):
            name, width = self._measured(text)
            self._names.append(name)
            widths.append(width + (DIVIDER if self._starts_answer(token) else 0))
        self._known.extend(texts)
        self._lines.extend(widths)

    def _measured(self, text: str) -> tuple[str, float]:
        found = self._widths.get(text)
        if found is None:
            name = visible(text)
            fixed = self._advance * len(name) if name.isascii() else 0.0
            found = name, (fixed or self._metrics.horizontalAdvance(name)) + 2 * INSET
            self._widths[text] = found
        return found

    def _set_font(self) -> None:
        self._font = QFont(self.font())
        self._font.setFamilies([*MONO_FAMILIES, *self.font().families()])
        self._font.setStyleHint(QFont.StyleHint.Monospace)
        self._font.setPixelSize(TOKEN_PIXELS)
        # Joined glyphs would show "!=" as another character.
        for feature in ("calt", "liga"):
            self._font.setFeature(QFont.Tag.fromString(feature), 0)
        self._answer_font = QFont(self._font)
        self._answer_font.setWeight(QFont.Weight.DemiBold)
        self._metrics = QFontMetricsF(self._answer_font)
        # Of a font whose characters are all as wide, plain names need no measuring.
        fixed_pitch = QFontInfo(self._answer_font).fixedPitch()
        self._advance = self._metrics.horizontalAdvance("m") if fixed_pitch else 0.0
        self._widths.clear()

    def _starts_answer(self, token: int) -> bool:
        return 0 < token == self._prompt_tokens

    def _update_range(self) -> None:
        bar, page = self.verticalScrollBar(), self.viewport().height()
        hidden = max(self._lines.lines() * PITCH - (PITCH - CHIP) + 2 - page, 0)
        bar.setPageStep(page)
        bar.setSingleStep(PITCH)
        # Whole lines, so that the first one in view is never cut.
        bar.setRange(0, -(-hidden // PITCH) * PITCH)

    def _bring_into_view(self, line: int) -> None:
        bar, top = self.verticalScrollBar(), line * PITCH
        if top < bar.value():
            bar.setValue(top)
        elif top + CHIP + 2 > bar.value() + self.viewport().height():
            bar.setValue(-(-(top + CHIP + 2 - self.viewport().height()) // PITCH) * PITCH)

    def _token_at(self, place: QPointF) -> int | None:
        line = int((place.y() + self.verticalScrollBar().value()) // PITCH)
        token = self._lines.token_at(line, place.x())
        return token if token is not None and self.chip(token).contains(place) else None

    def _set_hover(self, token: int | None) -> None:
        if token != self._hover:
            self._hover = token
            self.viewport().update()
            self.hovered.emit(token)

    def _swatch(self, step: int | None) -> tuple[QColor, QColor, bool]:
        found = self._swatches.get(step)
        if found is None:
            fill = self._fill(step)
            surface = self._palette.colour("surface")
            found = fill, self._palette.colour("text") if step is None else ink_on(fill), contrast(fill, surface) < 1.25
            self._swatches[step] = found
        return found

    def _fill(self, step: int | None) -> QColor:
        if step is None:
            return self._palette.colour("raised")
        if self._measure.kind == "category":
            return self._palette.category(step)
        red, green, blue, _alpha = sequential_table(self._palette.sequential)[step].tolist()
        return QColor(red, green, blue)

    def _paint_chip(self, painter: QPainter, token: int) -> None:
        box = self.chip(token)
        fill, ink, needs_edge = self._swatch(self._measure.step(token))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, 4, 4)
        if token == self._hover:
            self._frame(painter, box.adjusted(0.5, 0.5, -0.5, -0.5), self._palette.colour("text", 0.65), 1)
        elif needs_edge:
            self._frame(painter, box.adjusted(0.5, 0.5, -0.5, -0.5), self._palette.colour("line"), 1)
        if token == self._chosen:
            self._frame(painter, box.adjusted(-0.25, -0.25, 0.25, 0.25), self._palette.colour("surface"), 3)
            self._frame(painter, box, self._palette.colour("accent"), 1.5)
        painter.setPen(ink)
        painter.setFont(self._font if token < self._prompt_tokens else self._answer_font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._names[token])
        if self._starts_answer(token):
            mark = QRectF(box.left() - DIVIDER + 1, box.top() + 1, 2, CHIP - 2)
            painter.fillRect(mark, self._palette.colour("muted"))

    @staticmethod
    def _frame(painter: QPainter, box: QRectF, colour: QColor, width: float) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, width))
        painter.drawRoundedRect(box, 4, 4)
