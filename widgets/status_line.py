"""The line below everything: what goes on, how fast, the memory it takes, and the cell under the cursor."""

from typing import Literal

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from widgets.dot import Dot
from widgets.figures import bytes_text, duration_text, part_text, rate_text, tabular
from widgets.palette import DARK, Palette
from widgets.panel import ElidedLabel

StateKind = Literal["idle", "busy", "loading", "dead"]

HEIGHT = 26
ROOMY = 1440  # pixels; in a narrower line the hovered cell needs the place
TONES: dict[StateKind, str] = {"idle": "faint", "busy": "accent", "loading": "accent", "dead": "bad"}
TRACK_STYLE = "QProgressBar { background: palette(mid); }"
BUTTON_STYLE = "QPushButton { padding: 0 6px; }"


class StatusLine(QFrame):
    """State, speed, recording size and progress at the left; the hovered cell in full at the right.

    Signals: `cancel_wanted()` for the long work shown, `stop_wanted()` for the run.
    """

    cancel_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName(self.tr("Status"))
        self._palette = DARK
        self._kind: StateKind = "idle"
        self._progressing = False
        self._dot = Dot(self)
        self._state, self._speed, self._step, self._recording, self._memory = (_SteadyLabel(self) for _ in range(5))
        self._stop = self._button(self.tr("Stop"), self.tr("Stop generating"))
        self._work = _WorkLabel("", self)
        self._bar = QProgressBar(self)
        self._cancel = self._button(self.tr("Cancel"), self.tr("Cancel what is in progress"))
        self._hover = ElidedLabel("", self)
        self._arrange()
        self._stop.clicked.connect(self.stop_wanted)
        self._cancel.clicked.connect(self.cancel_wanted)
        self.hide_progress()
        self.show_state("idle", "")

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self._dot.show_colour(palette.colour(TONES[self._kind]))
        self.update()

    def show_state(self, kind: StateKind, text: str) -> None:
        """Say what the engine does, in a few words; Stop is offered while it is busy."""
        if kind != self._kind:
            self._state.forget_width()
        self._kind = kind
        self._dot.show_colour(self._palette.colour(TONES[kind]))
        self._state.show_text(text)
        self._stop.setVisible(kind == "busy")

    def show_speed(self, tokens_per_second: float | None, seconds_per_step: float | None) -> None:
        """Show the decode speed; None hides a figure."""
        self._speed.show_text("" if tokens_per_second is None else rate_text(tokens_per_second))
        if seconds_per_step is None:
            self._step.show_text("")
        else:
            self._step.show_text(self.tr("{time}/step").format(time=duration_text(seconds_per_step)))

    def show_recording(self, size: int | None, limit: int | None = None) -> None:
        """Show the recording's size in bytes, and the most it may take; None hides it."""
        if size is None:
            self._recording.show_text("")
        elif limit is None:
            self._recording.show_text(self.tr("recording {size}").format(size=bytes_text(size)))
        else:
            text = self.tr("recording {size} of {limit}")
            self._recording.show_text(text.format(size=bytes_text(size), limit=bytes_text(limit)))

    def show_memory(self, kept: int, *, budget: int, resident: int) -> None:
        """Show what the engine keeps in memory of its budget (0: none is known), and all it has there; 0 hides it."""
        if not kept:
            self._memory.show_text("")
            return
        size = part_text(kept, budget) if budget else bytes_text(kept)
        words = self.tr("{size} kept").format(size=size)
        if self.width() >= ROOMY and not self._progressing:
            words = self.tr("{words} · {size} resident").format(words=words, size=bytes_text(resident))
        self._memory.show_text(words)
        exact = self.tr(
            "The engine keeps {kept} that cannot be given back; with pages of files it has {size} in memory."
        )
        self._memory.setToolTip(exact.format(kept=f"{kept:,} B", size=f"{resident:,} B"))

    def show_progress(self, label: str, fraction: float | None, *, cancellable: bool = True) -> None:
        """Show long work: how much is done, 0 to 1, or None when nobody knows."""
        self._work.set_full_text(label)
        self._work.updateGeometry()
        self._bar.setRange(0, 0 if fraction is None else 1000)
        if fraction is not None:
            self._bar.setValue(round(1000 * min(max(fraction, 0.0), 1.0)))
        self._give_room(True)
        self._cancel.setEnabled(cancellable)

    def hide_progress(self) -> None:
        """The long work is over."""
        self._give_room(False)

    def _give_room(self, progressing: bool) -> None:
        """Lesser figures make way for long work, so that the hovered cell can still be read."""
        self._progressing = progressing
        for widget in (self._work, self._bar, self._cancel):
            widget.setVisible(progressing)
        for label in (self._step, self._recording):
            label.withhold(progressing)
        self._memory.withhold(progressing and self.width() < ROOMY)

    def show_hover(self, text: str) -> None:
        """Read out the cell under the cursor; an empty text clears it."""
        self._hover.set_full_text(text)

    def hover(self) -> str:
        """The readout, in full."""
        return self._hover.full_text()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        QPainter(self).fillRect(0, 0, self.width(), 1, self._palette.colour("line"))

    def _arrange(self) -> None:
        self._bar.setFixedWidth(80)
        self._bar.setTextVisible(False)
        self._bar.setStyleSheet(TRACK_STYLE)
        self._hover.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._hover.setProperty("role", "muted")
        self._hover.setFont(tabular(self._hover.font()))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 1, 14, 0)
        row.setSpacing(16)
        start = QHBoxLayout()
        start.setSpacing(6)
        for widget in (self._dot, self._state, self._stop):
            start.addWidget(widget)
        row.addLayout(start)
        for label in (self._speed, self._step, self._recording, self._memory):
            label.setProperty("role", "muted")
            row.addWidget(label)
        work = QHBoxLayout()
        work.setSpacing(8)
        for part in (self._work, self._bar, self._cancel):
            work.addWidget(part)
        row.addLayout(work)
        row.addWidget(self._hover, 1)

    def _button(self, text: str, description: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setProperty("role", "quiet")
        button.setStyleSheet(BUTTON_STYLE)
        button.setAccessibleDescription(description)
        button.setToolTip(description)
        return button


class _WorkLabel(ElidedLabel):
    """As wide as its text where there is room."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setFont(tabular(self.font()))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.full_text()) + 4, super().sizeHint().height())


class _SteadyLabel(QLabel):
    """A label of changing numbers that only ever grows, so that nothing beside it dances."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(tabular(self.font()))
        self._withheld = False

    def show_text(self, text: str) -> None:
        self.setText(text)
        self.setVisible(bool(text) and not self._withheld)
        if self.sizeHint().width() > self.minimumWidth():
            self.setMinimumWidth(self.sizeHint().width())

    def withhold(self, withheld: bool) -> None:
        if withheld != self._withheld:
            self._withheld = withheld
            self.setVisible(bool(self.text()) and not withheld)

    def forget_width(self) -> None:
        self.setMinimumWidth(0)
