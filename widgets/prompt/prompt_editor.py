"""The editor of the prompt: plain text, never changed by the program, guarded against enormous pastes."""

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from widgets.prompt.held_text import HeldText

LONGEST_WRAPPED_LINE = 20_000
# Laying out more than this in one line takes Qt longer than a person should wait (0.2 s).
LONGEST_SHOWN_LINE = 50_000
MOST_SHOWN = 250_000
MOST_BYTES = 2_000_000


class PromptEditor(QPlainTextEdit):
    """Ctrl+Enter runs. Long lines switch wrapping off, enormous texts are held unseen, none passes 2 MB.

    Signals: `submitted()`; `refused(object, object)`, the bytes a paste would have made and the most allowed.
    """

    submitted = Signal()
    # Sizes may pass 2³¹.
    refused = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._held: str | None = None
        self.setTabChangesFocus(True)
        self.setAccessibleName(self.tr("Prompt"))
        self._cover = HeldText(self)
        self._cover.released.connect(self.release)
        self.textChanged.connect(self._wrap_again)

    def text(self) -> str:
        """Exactly what was typed or pasted; Qt's toPlainText would turn no-break spaces into spaces."""
        if self._held is not None:
            return self._held
        return self.document().toRawText().replace("\u2029", "\n").replace("\u2028", "\n")

    def is_holding(self) -> bool:
        """Whether the text is held unseen."""
        return self._held is not None

    def replace_text(self, text: str) -> None:
        """Put another text in place of this one; undo, or letting go of it, brings the old one back."""
        if not self._fits("", text, ""):
            return
        if _is_enormous(text):
            self._hold(text)
            return
        self.release()
        self._guard(text)
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        self.setTextCursor(cursor)

    def release(self) -> None:
        """Let go of a held text; what was in the editor before shows again."""
        if self._held is not None:
            self._held = None
            self._cover.hide()
            self.setReadOnly(False)
            self.textChanged.emit()
            self.setFocus()

    def insertFromMimeData(self, source: QMimeData) -> None:
        if not source.hasText() or self.isReadOnly():
            return
        text = source.text().replace("\r\n", "\n")
        before, after = self._around_cursor(text)
        if not self._fits(before, text, after):
            return
        if _is_enormous(text):
            self._hold(before + text + after)
            return
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cover.setGeometry(self.rect())

    def _around_cursor(self, text: str) -> tuple[str, str]:
        if len(text) <= LONGEST_WRAPPED_LINE:
            return "", ""  # too small to be held, and measured by the document's own length
        # Qt counts UTF-16 units: cut the text in that encoding.
        units = self.text().encode("utf-16-le", "surrogatepass")
        cursor = self.textCursor()
        start, end = 2 * cursor.selectionStart(), 2 * cursor.selectionEnd()
        return units[:start].decode("utf-16-le", "surrogatepass"), units[end:].decode("utf-16-le", "surrogatepass")

    def _fits(self, before: str, text: str, after: str) -> bool:
        # Three bytes at most for each UTF-16 unit: only a text near the limit is encoded to be measured.
        if 3 * (self.document().characterCount() + 2 * len(text)) <= MOST_BYTES:
            return True
        size = sum(len(part.encode("utf-8", "surrogatepass")) for part in (before, text, after))
        if size > MOST_BYTES:
            self.refused.emit(size, MOST_BYTES)
        return size <= MOST_BYTES

    def _hold(self, text: str) -> None:
        self._held = text
        self.setReadOnly(True)
        self._cover.show_held(text)
        self.textChanged.emit()

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


def _is_enormous(text: str) -> bool:
    return len(text) > MOST_SHOWN or longest_line(text) > LONGEST_SHOWN_LINE
