"""A small number with a button at either side."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIntValidator, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

BUTTON_WIDTH = 20
NUMBER_WIDTH = 38
HEIGHT = 26


class Stepper(QWidget):
    """‹ 4 ›, typed, clicked, or stepped with the up and down keys.

    Signals: `stepped(int)`, the new number, only when a person changes it.
    """

    stepped = Signal(int)

    def __init__(self, name: str, explanation: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(explanation)
        self._number, self._most = 1, 1
        self._field = QLineEdit(self)
        self._range = QIntValidator(1, 1, self._field)
        self._field.setValidator(self._range)
        self._field.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._field.setAccessibleName(name)
        self._field.setFixedSize(NUMBER_WIDTH, HEIGHT)
        self._field.editingFinished.connect(self._typed)
        self._less, self._more = self._button("‹", -1), self._button("›", 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for widget in (self._less, self._field, self._more):
            row.addWidget(widget)
        self.setFocusProxy(self._field)
        self.show_number(1, 1)

    def show_number(self, number: int, most: int) -> None:
        """Show a number between 1 and `most`; emits nothing, and leaves what is being typed alone."""
        if (number, most) == (self._number, self._most) and self._field.isModified():
            return
        self._number, self._most = number, max(1, most)
        self._range.setTop(self._most)
        self._field.setText(str(number))
        self._less.setEnabled(number > 1)
        self._more.setEnabled(number < self._most)

    def number(self) -> int:
        """The number shown."""
        return self._number

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._choose(self._number + (1 if event.key() == Qt.Key.Key_Up else -1))
            return
        super().keyPressEvent(event)

    def _button(self, label: str, step: int) -> QPushButton:
        button = QPushButton(label, self)
        button.setProperty("role", "quiet")
        button.setFixedSize(BUTTON_WIDTH, HEIGHT)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda: self._choose(self._number + step))
        return button

    def _typed(self) -> None:
        self._field.setModified(False)
        self._choose(int(self._field.text() or self._number))

    def _choose(self, number: int) -> None:
        number = min(max(number, 1), self._most)
        if number != self._number:
            self.show_number(number, self._most)
            self.stepped.emit(number)
