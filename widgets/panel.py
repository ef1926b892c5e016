"""A panel: a header with a name and one exact sentence, tools at its right, and a body."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

HEADER_HEIGHT = 34
ROOMY = 390  # pixels for the sentence between name and tools; where there are fewer it stands below the header
MARGINS = 40


class ElidedLabel(QLabel):
    """One line that ends in … when there is no room; the whole text is its tooltip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._full = text
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def set_full_text(self, text: str) -> None:
        """Show this text, shortened to the width there is."""
        if text != self._full:
            self._full = text
            self._elide()

    def full_text(self) -> str:
        """The text before it was shortened."""
        return self._full

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._full, Qt.TextElideMode.ElideRight, self.contentsRect().width())
        self.setText(shown)
        # A tooltip of plain text: outside text may look like markup.
        self.setToolTip("" if shown == self._full else self._full.replace("<", "‹"))


class Panel(QFrame):
    """The frame around every view.

    The sentence says exactly what is shown; it is also the picture's caption and the accessible
    description. In a narrow panel it stands below the header; that depends on widths alone, never on the
    sentence, so nothing jumps. While there is nothing to show, `show_hint` says what will appear and what to do,
    and `show_offer` puts a button for it below.

    Signals: `offer_taken()`.
    """

    offer_taken = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAccessibleName(title)
        self._said = ""
        self.header = QFrame(self)
        self.header.setProperty("role", "panel-header")
        self.header.setFixedHeight(HEADER_HEIGHT)
        self._title = QLabel(title, self.header)
        self._title.setProperty("role", "panel-title")
        self._sentence = ElidedLabel("", self.header)
        self._sentence.setProperty("role", "muted")
        self._below = ElidedLabel("", self)
        self._below.setProperty("role", "muted")
        self._below.setContentsMargins(12, 6, 12, 0)
        self._below.hide()
        self._tools = QHBoxLayout()
        self._tools.setSpacing(8)
        row = QHBoxLayout(self.header)
        row.setContentsMargins(12, 0, 8, 0)
        row.setSpacing(10)
        row.addWidget(self._title)
        row.addWidget(self._sentence, 1)
        row.addLayout(self._tools)
        self._hint = QLabel("", self)
        self._hint.setProperty("role", "hint")
        self._hint.setTextFormat(Qt.TextFormat.PlainText)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setWordWrap(True)
        self._stack = QStackedLayout()
        self._offer = QPushButton("", self)
        self._offer.clicked.connect(self.offer_taken)
        self._offer.hide()
        self._stack.addWidget(_middle(self, self._hint, self._offer))
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(self.header)
        self._rule = _rule(self)
        column.addWidget(self._rule)
        column.addWidget(self._below)
        column.addLayout(self._stack, 1)

    def title(self) -> str:
        """The panel's name."""
        return self._title.text()

    def sentence(self) -> str:
        """What is shown, in one sentence."""
        return self._said

    def add_tool(self, widget: QWidget) -> None:
        """Put a control at the right end of the header."""
        self._tools.addWidget(widget)

    def detach_header(self) -> QWidget:
        """Give the header away, to be the title bar of a dock; the panel goes on writing into it."""
        self.setProperty("docked", True)
        self.header.setProperty("docked", True)
        self._rule.hide()
        return self.header

    def set_body(self, body: QWidget) -> None:
        """The view itself; shown until `show_hint` is called."""
        self._stack.addWidget(body)
        self._stack.setCurrentWidget(body)

    def show_sentence(self, text: str) -> None:
        """Say what the body shows now, and show the body."""
        self._place_sentence(text)
        self.setAccessibleDescription(text)
        self._stack.setCurrentIndex(self._stack.count() - 1)

    def show_hint(self, text: str) -> None:
        """Show, in place of the body, one sentence saying what will appear and what to do."""
        self._place_sentence("")
        self._hint.setText(text)
        self.setAccessibleDescription(text)
        self._stack.setCurrentIndex(0)

    def show_offer(self, text: str) -> None:
        """Offer something to do below the hint, as long as there is nothing else to show; empty: nothing."""
        self._offer.setText(text)
        self._offer.setVisible(bool(text))

    def show_marked(self, marked: bool) -> None:
        """Frame the panel in the accent: it is what is being spoken of."""
        for part in (self, self.header):
            part.setProperty("marked", marked)
            part.style().unpolish(part)
            part.style().polish(part)

    def is_empty(self) -> bool:
        """Whether the hint is showing."""
        return self._stack.currentIndex() == 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_sentence(self._said)

    def _place_sentence(self, text: str) -> None:
        self._said = text
        room = self.width() - self._title.sizeHint().width() - self._tools.sizeHint().width() - MARGINS
        narrow = room < ROOMY
        self._sentence.set_full_text("" if narrow else text)
        self._below.set_full_text(text if narrow else "")
        self._below.setVisible(narrow and bool(text))


def _middle(parent: QWidget, hint: QLabel, offer: QPushButton) -> QWidget:
    """The hint in the middle of the panel, the offer below it."""
    page = QWidget(parent)
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addStretch(1)
    column.addWidget(hint)
    column.addWidget(offer, 0, Qt.AlignmentFlag.AlignHCenter)
    column.addStretch(1)
    return page


class _Rule(QWidget):
    """A one-pixel line across the panel, in the frame's own colour."""

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().mid())


def _rule(parent: QWidget) -> QWidget:
    rule = _Rule(parent)
    rule.setFixedHeight(1)
    return rule
