"""Notices under the toolbar: what went wrong, what to do about it, one button. Never a modal box."""

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from widgets.dot import Dot
from widgets.palette import DARK, Palette
from widgets.plain_text import plain_label

NoticeTone = Literal["info", "warn", "error"]

TONES: dict[NoticeTone, str] = {"info": "accent", "warn": "warn", "error": "bad"}
LONGEST_TEXT = 1500


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice: a sentence or two, and what its button does, if it has one."""

    text: str
    tone: NoticeTone
    action: str | None
    key: str


class NoticeBar(QFrame):
    """The newest notice, and how many wait behind it; it takes no room when there is none.

    Signals: `action_chosen(str)`, the notice's key; `dismissed(str)`, the key of one put away by a person.
    """

    action_chosen = Signal(str)
    dismissed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._notices: list[Notice] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._dot = Dot(self)
        self._text = QLabel(self)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._count = QLabel(self)
        self._count.setProperty("role", "muted")
        self._action = QPushButton(self)
        self._close = QPushButton("×", self)
        self._close.setProperty("role", "quiet")
        self._close.setAccessibleName(self.tr("Dismiss this notice"))
        self._close.setToolTip(self.tr("Dismiss"))
        self._arrange()
        self._action.clicked.connect(self._act)
        self._close.clicked.connect(self._put_away)
        self.hide()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self._refresh()

    def show_notice(self, text: str, *, tone: NoticeTone, action: str | None, key: str) -> None:
        """Show a notice in front of the others; one with the same key is replaced."""
        bounded = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
        self._notices = [notice for notice in self._notices if notice.key != key]
        self._notices.append(Notice(bounded, tone, action, key))
        self._refresh()

    def dismiss(self, key: str | None = None) -> None:
        """Take away the notice with this key, or the newest; nothing happens when there is none."""
        if key is None:
            self._notices = self._notices[:-1]
        else:
            self._notices = [notice for notice in self._notices if notice.key != key]
        self._refresh()

    def current(self) -> Notice | None:
        """The notice in front."""
        return self._notices[-1] if self._notices else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._put_away()
            return
        super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        notice = self.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._palette.colour(TONES[notice.tone] if notice else "line"), 1.0))
        painter.setBrush(self._palette.colour("raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)

    def _arrange(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 6, 5)
        row.setSpacing(10)
        row.addWidget(self._dot)
        row.addWidget(self._text, 1)
        row.addWidget(self._count)
        row.addWidget(self._action)
        row.addWidget(self._close)

    def _refresh(self) -> None:
        notice = self.current()
        self.setVisible(notice is not None)
        if notice is None:
            return
        self._dot.show_colour(self._palette.colour(TONES[notice.tone]))
        self._text.setText(notice.text)
        waiting = len(self._notices) - 1
        self._count.setText(self.tr("+ {count} more").format(count=waiting))
        self._count.setVisible(waiting > 0)
        self._action.setText(plain_label(notice.action or ""))
        self._action.setVisible(notice.action is not None)
        self.setAccessibleName(notice.text)
        self.update()

    def _act(self) -> None:
        notice = self.current()
        if notice is not None:
            self.action_chosen.emit(notice.key)

    def _put_away(self) -> None:
        notice = self.current()
        if notice is not None:
            self.dismiss(notice.key)
            self.dismissed.emit(notice.key)
