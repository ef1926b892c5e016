"""Talking to the engine from a headless command: ask, then wait for the answers."""

import queue
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import msgspec

from app.client import EngineClient
from model.messages import (
    Command,
    Described,
    Event,
    Extracted,
    Failed,
    Finished,
    Heartbeat,
    Measured,
    Opened,
    Profiled,
    Verified,
)
from model.problems import Problem

LAST = (Described, Opened, Finished, Verified, Extracted, Measured, Profiled)  # kinds that end the answer to a command


class Conversation(AbstractContextManager["Conversation"]):
    """An engine of its own for the length of a `with` block."""

    def __init__(self) -> None:
        self._heard: queue.Queue[Event | str] = queue.Queue()
        self._client = EngineClient(self._heard.put, self._heard.put)
        # The most that any heartbeat told of since the start; None where none has come.
        self.most_unreclaimable_bytes: int | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, command: Command) -> Iterator[Event]:
        """Send a command and give its answers up to the last. Raises Problem when it cannot be served."""
        request = self._client.next_request()
        self._client.send(msgspec.structs.replace(command, request=request))
        while True:
            event = self._heard.get()
            if isinstance(event, str):
                raise Problem(f"{event}; run the command again.")
            if isinstance(event, Heartbeat) and event.unreclaimable_bytes:
                self.most_unreclaimable_bytes = max(self.most_unreclaimable_bytes or 0, event.unreclaimable_bytes)
            if event.request != request:
                continue
            if isinstance(event, Failed):
                raise Problem(event.message)
            yield event
            if isinstance(event, LAST) or getattr(event, "final", False):
                return

    def read_bytes(self) -> int:
        """What the disk has delivered for the engine so far; 0 where the system does not tell."""
        try:
            lines = Path(f"/proc/{self._client.process_id}/io").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("read_bytes:")), 0)

    def last(self, command: Command) -> Event:
        """Send a command and give its last answer alone. Raises Problem."""
        *_, event = self.ask(command)
        return event
