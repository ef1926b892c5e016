"""The engine's client as a QObject: events arrive on the window's thread as signals."""

from PySide6.QtCore import QObject, Signal

from app.client import EngineClient
from model.messages import Command, Event


class EngineBridge(QObject):
    """One engine process at a time; `restart` replaces it.

    Signals: `received(Event)` and `died(str)`, both delivered on this object's thread.
    """

    received = Signal(object)
    died = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = self._start()

    def next_request(self) -> int:
        """A request number not given out before."""
        return self._client.next_request()

    def send(self, command: Command) -> bool:
        """Queue a command; False when the engine is gone or far behind."""
        return self._client.send(command)

    def restart(self) -> None:
        """Replace the engine by a fresh one."""
        self._client.close()
        self._client = self._start()

    def close(self) -> None:
        """End the engine with the window."""
        self._client.close()

    def process_id(self) -> int:
        """The engine's process id."""
        return self._client.process_id

    def _start(self) -> EngineClient:
        return EngineClient(self._receive, self.died.emit)

    def _receive(self, event: Event) -> None:
        self.received.emit(event)
