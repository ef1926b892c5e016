"""Cyclic garbage is collected in the window's thread alone.

Python collects wherever an allocation happens to cross a threshold, also in the threads that talk to the engine. A
cycle that holds a widget or a timer would then be destroyed there, and Qt crashes when an object dies in a thread that
it does not live in.
"""

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 250


class Collector(QObject):
    """Takes collecting over from Python while it runs. What exists at its start is looked through no more."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)

    def start(self) -> None:
        """Stop Python's own collecting; a second start changes nothing."""
        if not self._timer.isActive():
            gc.disable()
            gc.freeze()  # widgets that live as long as the window: a full pass over them would drop a frame
            self._timer.start()

    def stop(self) -> None:
        """Give collecting back to Python."""
        if self._timer.isActive():
            self._timer.stop()
            gc.unfreeze()
            gc.enable()

    def collect(self) -> None:
        """The oldest generation that is due by Python's own thresholds."""
        due = [count > threshold for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
        if True in due:
            gc.collect(max(generation for generation, wanted in enumerate(due) if wanted))
