"""An engine client whose engine is a thread of the test: the same `serve`, without a process to start."""

import queue
import threading
from collections.abc import Callable

from model.engine.serve import serve
from model.messages import Command, Event, Shutdown


class ThreadedClient:
    """Stands in for `app.client.EngineClient`; it is its own inbox."""

    def __init__(self, on_event: Callable[[Event], None], on_death: Callable[[str], None]) -> None:
        self._commands: queue.Queue[Command] = queue.Queue()
        self._on_event = on_event
        self._requests = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def next_request(self) -> int:
        self._requests += 1
        return self._requests

    def send(self, command: Command) -> bool:
        self._commands.put(command)
        return True

    def close(self) -> None:
        self._commands.put(Shutdown())
        self._thread.join()

    def take(self, *, wait: bool) -> Command | None:
        try:
            return self._commands.get(block=wait)
        except queue.Empty:
            return None

    def congested(self) -> bool:
        return False

    def _run(self) -> None:
        for event in serve(self):
            self._on_event(event)
