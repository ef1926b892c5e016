"""A cover over the editor while it holds a text too large to lay out: what it is, and how to let go of it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.figures import count_text
from widgets.token_text import visible


class HeldText(QFrame):
    """Says how many characters are held and how they begin.

    Signals: `released()`, a person wants to edit what was there before.
    """

    released = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "chip")
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setTextFormat(self._words.textFormat().PlainText)
        self._words.setProperty("role", "muted")
        release = QPushButton(self.tr("Remove it"), self)
        release.clicked.connect(self.released)
        row = QHBoxLayout()
        row.addWidget(release)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 8)
        column.addWidget(self._words, 1)
        column.addLayout(row)
        self.hide()

    def show_held(self, text: str) -> None:
        """Cover the editor and describe the text."""
        start = visible(text[:24], limit=14, keep_inner_spaces=True)
        sentence = self.tr("{count} characters are held, too many to edit here. They start with “{start}”.")
        self._words.setText(sentence.format(count=count_text(len(text)), start=start))
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.show()
        self.raise_()
