"""Every token of the run as a chip, coloured by a measure: prompt first, then what the model wrote."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)  # fmt: skip
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from widgets.palette import DARK, Palette, contrast, ink_on, sequential_table
from widgets.selection import Selection
from widgets.token_lines import TokenLines
from widgets.token_text import visible

MONO_FAMILIES = ("JetBrains Mono", "SF Mono", "Cascadia Mono", "Noto Sans Mono", "DejaVu Sans Mono")
TOKEN_PIXELS = 12
CHIP, PITCH, GAP, INSET = 20, 25, 4, 5  # pixels: height of a chip, of a line, between chips, inside a chip
MARGIN = 9
DIVIDER = 8  # extra room before the first generated token

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


class TokenStrip(QFrame):
    """Chips in wrapped lines, the newest in view unless someone scrolled away.

    Signals: `token_chosen(int)`; `measure_chosen(str)`, a key given to `set_measures`; `hovered_text(str)`.
    """

    token_chosen = Signal(int)
    measure_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAccessibleName(self.tr("Tokens"))
        self._chips = _Chips(self)
        self._legend = _Legend(self)
        self._button = QPushButton(self)
        self._button.setProperty("role", "quiet")
        self._button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._menu = QMenu(self)
        self._button.clicked.connect(self._open_menu)
        self._button.hide()
        self._chips.chosen.connect(self.token_chosen)
        self._chips.hovered.connect(self._tell)
        self._arrange()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(self.height_for(2))
        self.setMaximumHeight(self.height_for(3))

    @staticmethod
    def height_for(lines: int) -> int:
        """Pixels that so many lines need."""
        return lines * PITCH - (PITCH - CHIP) + 2 * MARGIN + 2

    def set_measures(self, measures: Sequence[tuple[str, str]]) -> None:
        """(key, label) of everything that chips can be coloured by."""
        self._menu.clear()
        for key, label in measures:
            action = self._menu.addAction(label)
            action.triggered.connect(lambda _checked=False, key=key: self.measure_chosen.emit(key))
        self._button.setVisible(bool(measures))

    def show_tokens(self, texts: Sequence[str], prompt_tokens: int) -> None:
        """All tokens so far; the first `prompt_tokens` were given, the others generated."""
        self._chips.show_tokens(texts, prompt_tokens)
        words = self.tr("{0} tokens, {1} of them from the prompt").format(f"{len(texts):,}", f"{prompt_tokens:,}")
        self.setAccessibleDescription(words)

    def show_measure(
        self, name: str, values: NDArray[np.float32], low: float, high: float, kind: MeasureKind = "sequential"
    ) -> None:
        """Colour chips by `values` [T], NaN where unknown; `low` … `high` span the colours of a sequential one."""
        measure = Measure(name=name, values=values, low=low, high=high, kind=kind)
        self._chips.show_measure(measure)
        self._legend.show_measure(measure)
        # A doubled ampersand is a plain one on a button.
        self._button.setText(self.tr("coloured by {0} ▾").format(name.replace("&", "&&")))

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected token and bring it into view."""
        self._chips.show_chosen(selection.token)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._chips.show_palette(palette)
        self._legend.show_palette(palette)

    def clear(self, hint: str = "") -> None:
        """Forget all tokens; the hint says what will appear."""
        self._chips.show_hint(hint or self.tr("Every token of the prompt and of the answer appears here."))
        self.show_tokens((), 0)
        self._chips.show_measure(NOTHING)
        self._legend.show_measure(NOTHING)
        self._chips.show_chosen(None)

    def sizeHint(self) -> QSize:
        return QSize(600, self.height_for(2))

    def _arrange(self) -> None:
        beside = QVBoxLayout()
        beside.setSpacing(0)
        beside.addWidget(self._legend)
        beside.addStretch(1)
        beside.addWidget(self._button, 0, Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN + 1, MARGIN, MARGIN, MARGIN)
        row.setSpacing(10)
        row.addWidget(self._chips, 1)
        row.addLayout(beside)
        self.setFocusProxy(self._chips)
        self.clear()

    def _open_menu(self) -> None:
        corner = self._button.mapToGlobal(self._button.rect().bottomRight())
        self._menu.popup(corner - QPoint(self._menu.sizeHint().width(), 0))

    def _tell(self, token: int | None) -> None:
        self.hovered_text.emit("" if token is None else self._chips.words(token))


class _Chips(QAbstractScrollArea):
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
        self._texts: Sequence[str] = ()
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
        painter.setFont(self._font)
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
            found = name, self._metrics.horizontalAdvance(name) + 2 * INSET
            self._widths[text] = found
        return found

    def _set_font(self) -> None:
        self._font = QFont(self.font())
        self._font.setFamilies([*MONO_FAMILIES, *self.font().families()])
        self._font.setStyleHint(QFont.StyleHint.Monospace)
        self._font.setPixelSize(TOKEN_PIXELS)
        self._metrics = QFontMetricsF(self._font)
        self._widths.clear()

    def _starts_answer(self, token: int) -> bool:
        return 0 < token == self._prompt_tokens

    def _update_range(self) -> None:
        bar, page = self.verticalScrollBar(), self.viewport().height()
        whole = max(self._lines.lines() * PITCH - (PITCH - CHIP) + 2, 0)
        bar.setPageStep(page)
        bar.setSingleStep(PITCH)
        bar.setRange(0, max(whole - page, 0))

    def _bring_into_view(self, line: int) -> None:
        bar, top = self.verticalScrollBar(), line * PITCH
        if top < bar.value():
            bar.setValue(top)
        elif top + CHIP + 2 > bar.value() + self.viewport().height():
            bar.setValue(top + CHIP + 2 - self.viewport().height())

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
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._names[token])
        if self._starts_answer(token):
            mark = QRectF(box.left() - DIVIDER + 1, box.top() + 1, 2, CHIP - 2)
            painter.fillRect(mark, self._palette.colour("muted"))

    @staticmethod
    def _frame(painter: QPainter, box: QRectF, colour: QColor, width: float) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, width))
        painter.drawRoundedRect(box, 4, 4)


class _Legend(QWidget):
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
