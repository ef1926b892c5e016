"""The text of the run: the prompt muted, what was generated in full ink; it only grows at its end."""

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from widgets.palette import DARK, Palette

# The whole prompt is in the editor; here its two ends are enough. While a long prompt is read its end is laid out
# anew some times a second: of 16,000 characters that took more than a frame may (80 ms).
MOST_OF_PROMPT = 6_000
# Qt lays out a whole paragraph anew for each character added to it: a longer one is drawn as several.
LONGEST_PARAGRAPH = 4_000
CONTINUED = 1
STYLE = "QPlainTextEdit { background: transparent; border: none; padding: 0; }"


class Transcript(QPlainTextEdit):
    """Plain text, selectable, read-only."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._prompt, self._generated = "", ""
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet(STYLE)
        self.document().setDocumentMargin(0)
        self.setAccessibleName(self.tr("Generated text"))
        self.setPlaceholderText(self.tr("Run a prompt: it will be continued here."))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's ink."""
        self._palette = palette
        prompt, generated = self._prompt, self._generated
        self._prompt, self._generated = "", ""
        self.show_text(prompt, generated)

    def show_text(self, prompt: str, generated: str) -> None:
        """Show a run's text; when it only grew, only its new end is written."""
        if prompt != self._prompt or not generated.startswith(self._generated):
            self.clear()
            self._append(self._shown(prompt), role="muted")
            self._generated = ""
        self._append(generated[len(self._generated) :], role="text")
        self._prompt, self._generated = prompt, generated

    def text(self) -> str:
        """What is shown, without the breaks that only drawing needs."""
        return self._between(0, self.document().characterCount() - 1)

    def createMimeDataFromSelection(self) -> QMimeData:
        cursor, data = self.textCursor(), QMimeData()
        data.setText(self._between(cursor.selectionStart(), cursor.selectionEnd()))
        return data

    def _between(self, start: int, end: int) -> str:
        block, parts = self.document().findBlock(start), []
        while block.isValid() and block.position() <= end:
            if block.position() > start and block.userState() != CONTINUED:
                parts.append("\n")
            cursor = QTextCursor(block)
            cursor.setPosition(max(start, block.position()))
            cursor.setPosition(min(end, block.position() + block.length() - 1), QTextCursor.MoveMode.KeepAnchor)
            parts.append(cursor.selectedText().replace("\u2028", "\n"))
            block = block.next()
        return "".join(parts)

    def _shown(self, prompt: str) -> str:
        if len(prompt) <= MOST_OF_PROMPT:
            return prompt
        half = MOST_OF_PROMPT // 2
        gap = self.tr("[… {count} characters of the prompt are not shown …]")
        gap = gap.format(count=f"{len(prompt) - 2 * half:,}")
        return f"{prompt[:half]}\n{gap}\n{prompt[-half:]}"

    def _append(self, text: str, *, role: str) -> None:
        if not text:
            return
        bar = self.verticalScrollBar()
        follows = bar.value() >= bar.maximum() - 1
        ink = QTextCharFormat()
        ink.setForeground(self._palette.colour(role))
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        for start in range(0, len(text), LONGEST_PARAGRAPH):
            if cursor.block().length() > LONGEST_PARAGRAPH:
                cursor.insertBlock()
                cursor.block().setUserState(CONTINUED)
            cursor.insertText(text[start : start + LONGEST_PARAGRAPH], ink)
        if follows:
            bar.setValue(bar.maximum())
