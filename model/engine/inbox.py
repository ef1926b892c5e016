"""What `serve` needs of whoever asks: commands, and a word when it should send less."""

from typing import Protocol

from model.messages import Command


class Inbox(Protocol):
    """Where commands come from. A pipe in the engine process, a list in tests."""

    def take(self, *, wait: bool) -> Command | None:
        """The next command; None when there is none and `wait` is false; Shutdown once the asker has gone."""
        ...

    def congested(self) -> bool:
        """Whether the asker is behind. Runs then gather their news in one later batch, questions wait."""
        ...
