"""Talking to `serve` in the test's own process: commands from a list, more of them in answer to events."""

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from model.engine.serve import serve
from model.messages import Command, Event, Shutdown

Kind = TypeVar("Kind")
React = Callable[[Event, "Script"], None]


class Script:
    """An inbox of commands that ends with Shutdown. `behind_for` looks it claims not to keep up."""

    def __init__(self, *commands: Command) -> None:
        self.commands: deque[Command] = deque(commands)
        self.behind_for = 0

    def take(self, *, wait: bool) -> Command | None:
        if self.commands:
            return self.commands.popleft()
        return Shutdown() if wait else None

    def congested(self) -> bool:
        self.behind_for -= 1
        return self.behind_for >= 0


def talk(*commands: Command, react: React | None = None) -> list[Event]:
    """Everything the engine says to these commands, and to those that `react` adds."""
    script = Script(*commands)
    heard = []
    for event in serve(script):
        heard.append(event)
        if react is not None:
            react(event, script)
    return heard


def answers(events: list[Event], kind: type[Kind], request: int) -> list[Kind]:
    """The events of one kind that answer one request."""
    return [event for event in events if isinstance(event, kind) and event.request == request]  # type: ignore[attr-defined]


def answer(events: list[Event], kind: type[Kind], request: int) -> Kind:
    """The only event of one kind that answers one request."""
    found = answers(events, kind, request)
    assert len(found) == 1, [type(event).__name__ for event in events]
    return found[0]
