"""One pinned head: its name, a button that lets it go, and its map."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from widgets.attention.attention_map import MapPlot
from widgets.panel import ElidedLabel


class PinCard(QWidget):
    """Signals: `unpin_wanted()`, `opened()` when the name is clicked."""

    unpin_wanted = Signal()
    opened = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = MapPlot(self)
        self._name = QPushButton("", self)
        self._name.setProperty("role", "quiet")
        self._name.setToolTip(self.tr("Show this head in the attention panel"))
        self._stage = ElidedLabel("", self)
        self._stage.setProperty("role", "muted")
        self._close = QPushButton("×", self)
        self._close.setProperty("role", "quiet")
        self._close.setToolTip(self.tr("Unpin"))
        self._close.setAccessibleName(self.tr("Unpin"))
        row = QHBoxLayout()
        row.setContentsMargins(8, 0, 4, 0)
        row.addWidget(self._name)
        row.addWidget(self._stage, 1)
        row.addWidget(self._close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.plot, 1)
        self.plot.setMinimumSize(120, 84)  # two rows of them must not take a small window's height from other panels
        self._name.clicked.connect(self.opened)
        self._close.clicked.connect(self.unpin_wanted)

    def show_name(self, name: str, *, closable: bool = True) -> None:
        """The head's name; a difference has no button."""
        self._name.setText(name)
        self._close.setVisible(closable)

    def show_stage(self, words: str) -> None:
        """How far the picture has come."""
        self._stage.set_full_text(words)
