"""An engine that only listens: it has the bridge's signals and remembers what was sent."""

from PySide6.QtCore import QObject, Signal

from model.messages import Command


class FakeBridge(QObject):
    received = Signal(object)
    died = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Command] = []
        self.starts = 0
        self.closed = False
        self._requests = 0

    def start(self) -> None:
        self.starts += 1

    def next_request(self) -> int:
        self._requests += 1
        return self._requests

    def send(self, command: Command) -> bool:
        self.sent.append(command)
        return not self.closed

    def close(self) -> None:
        self.closed = True

    def of(self, kind: type) -> list:
        return [command for command in self.sent if isinstance(command, kind)]
