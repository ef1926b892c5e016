"""Which questions the views have for the engine right now, and when each may be asked. Qt-free.

One question of a kind is on its way at a time. A growing run asks again as it grows, with a pause at
least as long as the last answer took, so that the engine goes on with the run. A change of what is
looked at, and the end of a run, ask at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from app.runs import Run
from app.state import State
from model.messages import Command, Event, ShowAttention, ShowRow, ShowScores

Kind = Literal["map", "gallery", "row", "scores", "hover"]
THUMBNAIL = 96  # cells along a thumbnail's edge
SCORES_WINDOW = 512  # tokens around the selected one
SHORTEST_PAUSE: dict[Kind, float] = {"map": 0.08, "gallery": 0.4, "row": 0.08, "scores": 0.5, "hover": 0.05}


@dataclass(frozen=True, slots=True)
class View:
    """What the attention map can show: token ranges (None: all there is) and the cells there is room for."""

    queries: tuple[int, int] | None = None
    keys: tuple[int, int] | None = None
    rows: int = 512
    columns: int = 512


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
    lines: dict[Kind, _Line] = field(default_factory=lambda: {kind: _Line() for kind in SHORTEST_PAUSE})

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
                continue
            subject, extent, make = asked
            pause = 0.0 if run.finished is not None else max(SHORTEST_PAUSE[kind], line.delay)
            ready = self._ready(line, subject, extent, pause=pause)
            if ready:
                commands.append(self._send(line, subject, extent, make))
            waiting = waiting or ready is None
        return commands, waiting

    def answered(self, event: Event) -> Kind | None:
        """Take an answer into account. None when it answers a question that was replaced: drop it."""
        for kind, line in self.lines.items():
            if line.request == event.request and event.request:
                line.request = 0
                line.delay = self.clock() - line.asked_at
                return kind
        return None

    def forget(self) -> None:
        """Ask everything again: the engine is a new one, or the run another."""
        self.lines = {kind: _Line() for kind in SHORTEST_PAUSE}

    def _ready(
        self, line: _Line, subject: tuple[object, ...], extent: tuple[object, ...], *, pause: float
    ) -> bool | None:
        """True: ask now. None: ask later. False: there is nothing to ask."""
        if subject != line.subject:
            return True
        if extent == line.extent:
            return False
        return True if not line.request and self.clock() - line.asked_at - line.delay >= pause else None

    def _send(
        self, line: _Line, subject: tuple[object, ...], extent: tuple[object, ...], make: Callable[[int], Command]
    ) -> Command:
        line.subject, line.extent = subject, extent
        line.request, line.asked_at = self.number(), self.clock()
        return make(line.request)


_Asked = tuple[tuple[object, ...], tuple[object, ...], Callable[[int], Command]] | None


def _ask_map(state: State, run: Run, view: View) -> _Asked:
    if not run.info.attention_available:
        return None
    selection, choices = state.selection, state.choices
    queries = view.queries or (0, run.tokens)
    keys = view.keys or (0, run.tokens)

    def make(request: int) -> Command:
        return ShowAttention(
            request=request,
            run=run.info.run,
            layer=selection.layer,
            heads=[selection.head],
            queries=_clip(queries, run.tokens),
            keys=_clip(keys, run.tokens),
            rows=view.rows,
            columns=view.columns,
            quantity=choices.quantity,
            reduction=choices.reduction,
        )

    looked_at = (run.info.run, selection.layer, selection.head, choices.quantity, choices.reduction)
    return looked_at, (queries, keys, view.rows, view.columns), make


def _ask_gallery(state: State, run: Run, _view: View) -> _Asked:
    if not run.info.attention_available:
        return None
    layer, quantity = state.selection.layer, state.choices.quantity

    def make(request: int) -> Command:
        return ShowAttention(
            request=request,
            run=run.info.run,
            layer=layer,
            heads=list(range(run.info.config.heads)),
            queries=(0, run.tokens),
            keys=(0, run.tokens),
            rows=THUMBNAIL,
            columns=THUMBNAIL,
            quantity=quantity,
            gallery=True,
        )

    return (run.info.run, layer, quantity), (run.tokens,), make


def _ask_row(state: State, run: Run, _view: View) -> _Asked:
    selection = state.selection
    if not run.info.attention_available or selection.token is None:
        return None
    query = selection.token
    subject: tuple[object, ...] = (run.info.run, selection.layer, selection.head)
    # While the selection follows the run, its query changes with every token: that is growth, not a new subject.
    extent: tuple[object, ...] = (query,) if state.following else ()
    if not state.following:
        subject = (*subject, query)

    def make(request: int) -> Command:
        return ShowRow(request=request, run=run.info.run, layer=selection.layer, head=selection.head, query=query)

    return subject, extent, make


def _ask_scores(state: State, run: Run, _view: View) -> _Asked:
    layer, token = state.selection.layer, state.selection.token
    if layer not in run.info.config.moe_layers or token is None:
        return None
    start = max(0, min(token - SCORES_WINDOW // 2, run.tokens - SCORES_WINDOW))
    tokens = (start, min(run.tokens, start + SCORES_WINDOW))

    def make(request: int) -> Command:
        return ShowScores(request=request, run=run.info.run, layer=layer, tokens=tokens)

    return (run.info.run, layer), tokens, make


def _ask_hover(state: State, run: Run, _view: View) -> _Asked:
    query, selection = state.hovered, state.selection
    if not run.info.attention_available or query is None or query >= run.tokens:
        return None

    def make(request: int) -> Command:
        return ShowRow(request=request, run=run.info.run, layer=selection.layer, head=selection.head, query=query)

    # The query is growth, not a new subject: a moving mouse waits for the answer before.
    return (run.info.run, selection.layer, selection.head), (query,), make


def _clip(span: tuple[int, int], tokens: int) -> tuple[int, int]:
    start = min(max(span[0], 0), tokens - 1)
    return start, min(max(span[1], start + 1), tokens)


ASKERS: dict[Kind, Callable[[State, Run, View], _Asked]] = {
    "map": _ask_map,
    "gallery": _ask_gallery,
    "row": _ask_row,
    "scores": _ask_scores,
    "hover": _ask_hover,
}
