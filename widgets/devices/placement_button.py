"""The placement of experts on devices: a quiet button with a menu of the choices."""

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QPushButton, QWidget


class PlacementButton(QPushButton):
    """Shows the placement in force. Signals: `chosen(str)`, a placement's key, only when a person chooses it."""

    chosen = Signal(str)

    def __init__(self, options: dict[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "quiet")
        self._options = options
        self._menu = QMenu(self)
        self._group = QActionGroup(self)
        self._actions: dict[str, QAction] = {}
        for key, label in options.items():
            action = self._menu.addAction(label)
            action.setCheckable(True)
            action.triggered.connect(lambda _checked, key=key: self.chosen.emit(key))
            self._group.addAction(action)
            self._actions[key] = action
        self.clicked.connect(lambda: self._menu.popup(self.mapToGlobal(QPoint(0, self.height()))))
        self.show_choice(next(iter(options)))

    def show_choice(self, key: str) -> None:
        """Show a placement; emits nothing."""
        self._actions[key].setChecked(True)
        self.setText(f"{self._options[key]} ▾")

    def label(self, key: str) -> str:
        """What a placement is called in the window; its key when it is unknown."""
        return self._options.get(key, key)

    def choices(self) -> list[QAction]:
        """The menu's actions, one for each placement."""
        return list(self._actions.values())
