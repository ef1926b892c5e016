"""The engine's client as a QObject: events arrive on the window's thread as signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.collecting import Collector
from model.messages import Command

if TYPE_CHECKING:
    from app.client import EngineClient


class EngineBridge(QObject):
    """One engine process at a time; `restart` replaces it. Request numbers go on across restarts.

    Signals: `received(Event)` and `died(str)`, both delivered on this object's thread.
    """

    received = Signal(object)
    died = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._requests = 0
        self._client: EngineClient | None = None
        self._collector = Collector(self)

    def start(self) -> None:
        """Start an engine; one that still runs is killed first."""
        from app.client import EngineClient  # with multiprocessing, which the first paint need not wait for

        if self._client is not None:
            self._client.kill()
            self._client.close()
        self._collector.start()  # from here on there are other threads
        self._client = EngineClient(self.received.emit, self.died.emit)

    def next_request(self) -> int:
        """A request number not given out before."""
        self._requests += 1
        return self._requests

    def send(self, command: Command) -> bool:
        """Queue a command; False when there is no engine or it is far behind."""
        return self._client is not None and self._client.send(command)

    def kill(self) -> None:
        """End the engine at once; `died` follows."""
        if self._client is not None:
            self._client.kill()

    def close(self) -> None:
        """End the engine with the window."""
        if self._client is not None:
            self._client.close()
        self._collector.stop()

    def process_id(self) -> int | None:
        """The engine's process id, when one was started."""
        return None if self._client is None else self._client.process_id
