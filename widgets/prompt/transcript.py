"""The text of the run: the prompt muted, what was generated in full ink; it only grows at its end."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from widgets.palette import DARK, Palette

# The whole prompt is in the editor; here its two ends are enough, and appending stays fast.
MOST_OF_PROMPT = 16_000
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
        cursor.insertText(text, ink)
        if follows:
            bar.setValue(bar.maximum())
