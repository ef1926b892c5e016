"""Whether the prompt is fed as it is or put into the checkpoint's chat template, and with which system message."""

from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from widgets.segmented import Segmented

PromptStyle = Literal["raw", "chat"]
LONGEST_SYSTEM = 20_000


class PromptStyleSwitch(QWidget):
    """Raw or Chat, and a line for the system message under Chat. What was typed there stays under Raw.

    Signals: `chosen(str)`, only when a person changes it.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._switch = Segmented([("raw", self.tr("Raw")), ("chat", self.tr("Chat"))], self)
        self._switch.setAccessibleName(self.tr("How the prompt is fed"))
        self._switch.setToolTip(
            self.tr("Raw feeds the prompt as it is; Chat puts it into the checkpoint's chat template as one message")
        )
        self._system = QLineEdit(self)
        self._system.setMaxLength(LONGEST_SYSTEM)
        self._system.setPlaceholderText(self.tr("System message, if any"))
        self._system.setAccessibleName(self.tr("System message"))
        row = QHBoxLayout()
        row.addWidget(self._switch)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self._system)
        self._switch.chosen.connect(self._choose)
        self.show_style("raw")

    def show_style(self, style: PromptStyle) -> None:
        """Mark a style as chosen; emits nothing."""
        self._switch.show_choice(style)
        self._system.setVisible(style == "chat")

    def chat(self) -> bool:
        """Whether the prompt goes into the chat template."""
        return self._switch.choice() == "chat"

    def system(self) -> str:
        """The system message that goes with it; empty for a raw prompt."""
        return self._system.text() if self.chat() else ""

    def _choose(self, style: str) -> None:
        self._system.setVisible(style == "chat")
        self.chosen.emit(style)
