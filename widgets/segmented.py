"""A segmented switch: two to four ways of seeing, one of them on."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget


class Segmented(QWidget):
    """Options side by side; the chosen one is underlined in the accent.

    Signals: `chosen(str)`, the option's key, only when a person changes it.
    """

    chosen = Signal(str)

    def __init__(self, options: list[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for index, (key, label) in enumerate(options):
            button = QPushButton(label, self)
            button.setCheckable(True)
            button.setProperty("segment", _place(index, len(options)))
            button.clicked.connect(lambda _checked, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
            row.addWidget(button)
        self.show_choice(options[0][0])

    def show_choice(self, key: str) -> None:
        """Mark an option as chosen; emits nothing."""
        self._buttons[key].setChecked(True)

    def choice(self) -> str:
        """The key of the chosen option."""
        return next(key for key, button in self._buttons.items() if button.isChecked())

    def set_option_enabled(self, key: str, enabled: bool) -> None:
        """Allow or forbid one option."""
        self._buttons[key].setEnabled(enabled)


def _place(index: int, count: int) -> str:
    if index == 0:
        return "first"
    return "last" if index == count - 1 else "middle"
