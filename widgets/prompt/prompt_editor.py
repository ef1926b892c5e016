"""The editor of the prompt: plain text, never changed by the program, guarded against enormous pastes."""

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QWidget

LONGEST_WRAPPED_LINE = 20_000
MOST_BYTES = 2_000_000


class PromptEditor(QPlainTextEdit):
    """Ctrl+Enter runs. Lines too long to wrap at once switch wrapping off; text beyond 2 MB is not taken.

    Signals: `submitted()`; `refused(int, int)`, the bytes a paste would have made and the most allowed.
    """

    submitted = Signal()
    # Sizes may pass 2³¹.
    refused = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabChangesFocus(True)
        self.setAccessibleName(self.tr("Prompt"))
        self.textChanged.connect(self._wrap_again)

    def text(self) -> str:
        """Exactly what was typed; Qt's toPlainText would turn no-break spaces into spaces."""
        return self.document().toRawText().replace("\u2029", "\n").replace("\u2028", "\n")

    def replace_text(self, text: str) -> None:
        """Put another text in place of this one; undo brings the old one back."""
        if not self._fits(text, replacing=self.text()):
            return
        self._guard(text)
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        self.setTextCursor(cursor)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if not source.hasText():
            return
        text = source.text()
        if self._fits(text, replacing=self.textCursor().selectedText()):
            self._guard(text)
            self.insertPlainText(text)
            self.ensureCursorVisible()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        # A dropped file is a checkpoint for the window, not text for the prompt.
        return source.hasText() and not source.hasUrls()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
            event.accept()
            return
        super().keyPressEvent(event)

    def _fits(self, text: str, *, replacing: str) -> bool:
        # characterCount bounds the text from below: only a text near the limit is encoded to be measured.
        if 4 * (self.document().characterCount() + len(text)) <= MOST_BYTES:
            return True
        size = _size(self.text()) - _size(replacing) + _size(text)
        if size > MOST_BYTES:
            self.refused.emit(size, MOST_BYTES)
        return size <= MOST_BYTES

    def _guard(self, text: str) -> None:
        if longest_line(text) > LONGEST_WRAPPED_LINE:
            self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)

    def _wrap_again(self) -> None:
        wrapped = self.lineWrapMode() == QPlainTextEdit.LineWrapMode.WidgetWidth
        if wrapped != self._lines_are_short():
            mode = QPlainTextEdit.LineWrapMode
            self.setLineWrapMode(mode.NoWrap if wrapped else mode.WidgetWidth)

    def _lines_are_short(self) -> bool:
        if self.document().characterCount() <= LONGEST_WRAPPED_LINE:
            return True
        block = self.document().begin()
        while block.isValid():
            if block.length() > LONGEST_WRAPPED_LINE:
                return False
            block = block.next()
        return True


def longest_line(text: str) -> int:
    """Characters of the longest line."""
    return max(map(len, text.split("\n")))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
