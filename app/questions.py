"""Which questions the views have for the engine right now, and when each may be asked. Qt-free.

One question of a kind is on its way at a time. A growing run asks again as it grows, with a pause at
least as long as the last answer took, so that the engine goes on with the run. A change of what is
looked at, and the end of a run, ask at once. An answer may come in stages; the question is open until the last.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.asking import ASKERS, SHORTEST_PAUSE, USUAL_PAUSE, Kind, Make, View, Window
from app.state import State
from model.messages import Command, Event, Stop

__all__ = ["Questions", "View", "Window"]

REMEMBERED = 4096  # request numbers, to know a late answer when it comes


@dataclass(slots=True)
class _Line:
    """One kind's history: what was asked last, when, and how long the answer took."""

    subject: tuple[object, ...] = ()  # what is looked at
    extent: tuple[object, ...] = ()  # how far it reaches, which grows by itself
    request: int = 0  # 0: answered
    asked_at: float = -1e9
    delay: float = 0.0


@dataclass(slots=True)
class Questions:
    """Remembers what was asked. `clock` gives monotonic seconds, `number` fresh request numbers."""

    clock: Callable[[], float]
    number: Callable[[], int]
    lines: dict[Kind, _Line] = field(default_factory=lambda: {kind: _Line() for kind in ASKERS})
    sent: dict[int, None] = field(default_factory=dict)  # in order, the newest last

    def due(self, state: State, view: View) -> tuple[list[Command], bool]:
        """Commands to send now, and whether something has to wait for a little while."""
        run = state.run
        if run is None or not run.tokens or state.engine in ("starting", "dead"):
            return [], False
        commands: list[Command] = []
        waiting = False
        for kind, line in self.lines.items():
            asked = ASKERS[kind](state, run, view)
            if asked is None:
                commands += self._let_go(kind, line)
                continue
            subject, extent, make = asked
            pause = 0.0 if run.finished is not None else max(SHORTEST_PAUSE.get(kind, USUAL_PAUSE), line.delay)
            ready = self._ready(line, subject, extent, pause=pause)
            if ready:
                commands += self._send(line, subject, extent, make)
            waiting = waiting or ready is None
        return commands, waiting

    def answered(self, event: Event) -> Kind | None:
        """Take an answer, or a stage of one, into account. None when its question was replaced: drop it."""
        for kind, line in self.lines.items():
            if line.request == event.request and event.request:
                if getattr(event, "final", True):
                    line.request = 0
                    line.delay = self.clock() - line.asked_at
                return kind
        return None

    def is_open(self, kind: Kind) -> bool:
        """Whether the last stage of a question's answer is still to come."""
        return bool(self.lines[kind].request)

    def is_due(self, kind: Kind, state: State, view: View) -> bool:
        """Whether this kind would be asked again now, if an earlier answer or a pause were not waited for."""
        asked = ASKERS[kind](state, state.run, view) if state.run is not None and state.run.tokens else None
        line = self.lines[kind]
        return asked is not None and asked[:2] != (line.subject, line.extent)

    def asked(self, event: Event) -> bool:
        """Whether an event answers any question that was ever sent, also one that was replaced."""
        return event.request in self.sent

    def forget(self) -> None:
        """Ask everything again: the engine is a new one, or the run another."""
        self.lines = {kind: _Line() for kind in ASKERS}

    def _ready(
        self, line: _Line, subject: tuple[object, ...], extent: tuple[object, ...], *, pause: float
    ) -> bool | None:
        """True: ask now. None: ask later. False: there is nothing to ask."""
        if subject != line.subject:
            return True
        if extent == line.extent:
            return False
        return True if not line.request and self.clock() - line.asked_at - line.delay >= pause else None

    def _send(self, line: _Line, subject: tuple[object, ...], extent: tuple[object, ...], make: Make) -> list[Command]:
        number = self.number()
        command = make(number)
        stopped = [] if command is not None or not line.request else [self._stop(line.request)]
        line.subject, line.extent = subject, extent
        line.request, line.asked_at = 0 if command is None else number, self.clock()
        if command is None:
            return stopped
        self._remember(number)
        return [command]

    def _let_go(self, kind: Kind, line: _Line) -> list[Command]:
        """End what nobody looks at any more; it is asked anew when somebody does."""
        if not line.request:
            return []
        stop = self._stop(line.request)
        self.lines[kind] = _Line()
        return [stop]

    def _stop(self, request: int) -> Command:
        number = self.number()
        self._remember(number)
        return Stop(request=number, target=request)

    def _remember(self, number: int) -> None:
        self.sent[number] = None
        while len(self.sent) > REMEMBERED:
            del self.sent[next(iter(self.sent))]
