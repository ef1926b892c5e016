"""What is made behind the first paint: a plot that loads pyqtgraph, in a thread of its own, so that no frame waits."""

from importlib import import_module
from threading import Thread

from PySide6.QtCore import QObject, QTimer

from widgets.memory.memory_view import MemoryView

LOOK_MS = 20


class Preparing(QObject):
    """Loads what a view needs, then lets it make its plot in the window's thread; it goes when the view goes."""

    def __init__(self, view: MemoryView) -> None:
        super().__init__(view)
        self._view = view
        self._loading = Thread(target=import_module, args=("widgets.memory.memory_plot",), daemon=True)
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        """Begin to load."""
        self._loading.start()
        self._timer.start()

    def _look(self) -> None:
        if not self._loading.is_alive():
            self._timer.stop()
            self._view.prepare()
