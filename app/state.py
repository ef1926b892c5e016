"""Everything the window shows, frozen, and `apply`: how an event from the engine changes it. Qt-free."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from app.columns import Column
from model.messages import (
    Array,
    AttentionShown,
    CheckpointSummary,
    Described,
    Event,
    Extracted,
    Failed,
    Finished,
    Grown,
    Heartbeat,
    LatentsShown,
    Loading,
    Measured,
    Opened,
    Quantity,
    Ready,
    Reduction,
    RowShown,
    RunInfo,
    ScoresShown,
    Started,
    StepBatch,
    TokenBatch,
    Verified,
)
from model.placement import PlacementName, default_devices
from widgets.selection import Selection

TOKEN_COLUMNS = ("ids", "log_probability", "expert_ids", "expert_weights", "margins")
STEP_COLUMNS = ("tokens", "decode", "measured_bytes", "used_bytes", "seconds", "chosen_ids", "chosen_log_probability")


@dataclass(frozen=True, slots=True)
class OpenModel:
    """The model that prompts run on."""

    summary: CheckpointSummary
    device: str
    dtype: str
    proof: Verified | None = None


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """A load that is going on, in bytes."""

    request: int
    path: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what the engine told of it so far. Buffers are shared, lengths are this state's own."""

    info: RunInfo
    request: int
    tokens: int = 0
    steps: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    chosen_texts: list[str] = field(default_factory=list)
    recording_bytes: int = 0
    finished: Finished | None = None

    def column(self, name: str) -> NDArray[Any]:
        """A token or step column, as long as this state knows it."""
        return self.columns[name].rows(self.steps if name in STEP_COLUMNS else self.tokens)

    @property
    def generated(self) -> int:
        """Tokens chosen so far; the last of them is not fed."""
        return sum(1 for text in self.chosen_texts if text)


@dataclass(frozen=True, slots=True)
class Shown:
    """Answers of the engine to the views' questions; each stays until a newer one arrives."""

    attention: AttentionShown | None = None
    gallery: AttentionShown | None = None
    row: RowShown | None = None
    scores: ScoresShown | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """How the views look at things."""

    quantity: Quantity = "probability"
    reduction: Reduction = "max"
    devices: int = 0  # 0: the model's own default
    placement: PlacementName = "contiguous"
    measure: str = "surprise"
    routing_mode: str = "tokens"
    devices_mode: str = "load"
    memory_scale: Literal["linear", "log"] = "linear"
    memory_measure: Literal["total", "per token"] = "total"
    timeline_colouring: Literal["time", "probability"] = "time"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should read; `key` tells which button to offer."""

    text: str
    key: Literal["", "restart"] = ""


@dataclass(frozen=True, slots=True)
class State:
    """The whole window."""

    engine: Literal["starting", "ready", "busy", "silent", "dead"] = "starting"
    ready: Ready | None = None
    model: OpenModel | None = None
    described: Described | None = None
    loading: LoadProgress | None = None
    proving: int = 0  # the request number of a running Verify
    running: int = 0  # the request number of a live run
    runs: tuple[Run, ...] = ()
    current: str = ""
    selection: Selection = field(default_factory=Selection)
    following: bool = True  # the selection stays on the newest token
    shown: Shown = Shown()
    choices: Choices = Choices()
    notices: tuple[Notice, ...] = ()
    resident_bytes: int = 0

    @property
    def run(self) -> Run | None:
        """The run on show."""
        return next((run for run in self.runs if run.info.run == self.current), None)


def apply(state: State, event: Event) -> State:
    """The state after an event."""
    match event:
        case Ready():
            return replace(state, engine="ready", ready=event)
        case Described():
            return replace(state, described=event)
        case Loading():
            if state.loading is None or state.loading.request != event.request:
                return state
            return replace(state, loading=replace(state.loading, done=event.done, total=event.total))
        case Opened():
            return replace(state, loading=None, model=OpenModel(event.summary, event.device, event.dtype))
        case Started():
            return _start(state, event)
        case Grown():
            return _with_run(state, event.run, lambda run: _grow(run, event))
        case Finished():
            state = _with_run(state, event.run, lambda run: replace(run, finished=event))
            return replace(state, running=0 if state.running == event.request else state.running)
        case AttentionShown():
            if event.run != state.current:
                return state
            if event.gallery:
                return replace(state, shown=replace(state.shown, gallery=event))
            return replace(state, shown=replace(state.shown, attention=event))
        case RowShown():
            return replace(state, shown=replace(state.shown, row=event)) if event.run == state.current else state
        case ScoresShown():
            return replace(state, shown=replace(state.shown, scores=event)) if event.run == state.current else state
        case LatentsShown() | Extracted() | Measured():
            return state
        case Verified():
            proved = state.model and replace(state.model, proof=event)
            return replace(state, model=proved, proving=0)
        case Failed():
            return _fail(state, event)
        case Heartbeat():
            return replace(state, resident_bytes=event.resident_bytes)
        case _:
            assert_never(event)


def select_run(state: State, name: str) -> State:
    """Show another run; the selection keeps what the other run also has."""
    if name == state.current:
        return state
    state = replace(state, current=name, shown=Shown(), following=True)
    run = state.run
    return select(state, replace(state.selection, token=run.tokens - 1 if run and run.tokens else None))


def select(state: State, selection: Selection) -> State:
    """A new selection, kept inside what the current run has."""
    run = state.run
    if run is None:
        return replace(state, selection=selection)
    config = run.info.config
    experts = config.router.experts if config.router else 0
    return replace(
        state,
        selection=Selection(
            token=_inside(selection.token, run.tokens),
            layer=min(max(selection.layer, 0), config.layers - 1),
            head=min(max(selection.head, 0), config.heads - 1),
            expert=_inside(selection.expert, experts),
            device=_inside(selection.device, device_count(state)),
        ),
    )


def device_count(state: State) -> int:
    """How many devices the placement has: as chosen, or the model's own groups."""
    run = state.run
    router = run.info.config.router if run else None
    if router is None:
        return 0
    return min(state.choices.devices or default_devices(router.groups), router.experts)


def _inside(value: int | None, count: int) -> int | None:
    return None if value is None or count == 0 else min(max(value, 0), count - 1)


def _start(state: State, event: Started) -> State:
    if any(run.info.run == event.info.run for run in state.runs):
        return state
    run = Run(event.info, event.request, columns=_columns(event.info))
    first = not state.runs
    state = replace(
        state, runs=(*state.runs, run), current=event.info.run, running=event.request, shown=Shown(), following=True
    )
    layer = event.info.config.moe_layers[0] if first and event.info.config.moe_layers else state.selection.layer
    return select(state, replace(state.selection, token=None, layer=layer))


def _columns(info: RunInfo) -> dict[str, Column]:
    router = info.config.router
    layers, chosen = len(info.config.moe_layers), router.experts_per_token if router else 0
    return {
        "ids": Column((), np.int32),
        "log_probability": Column((), np.float32),
        "expert_ids": Column((layers, chosen), np.int16),
        "expert_weights": Column((layers, chosen), np.float32),
        "margins": Column((layers,), np.float32),
        "tokens": Column((), np.int64),
        "decode": Column((), np.bool_),
        "measured_bytes": Column((), np.int64),
        "used_bytes": Column((), np.int64),
        "seconds": Column((), np.float32),
        "chosen_ids": Column((), np.int32),
        "chosen_log_probability": Column((), np.float32),
    }


def _grow(run: Run, event: Grown) -> Run:
    _put(run.columns, TOKEN_COLUMNS, event.tokens)
    _put(run.columns, STEP_COLUMNS, event.steps)
    run.texts[event.tokens.first :] = event.tokens.texts
    run.chosen_texts[event.steps.first :] = event.steps.chosen_texts
    return replace(
        run,
        tokens=max(run.tokens, event.tokens.first + len(event.tokens.texts)),
        steps=max(run.steps, event.steps.first + len(event.steps.chosen_texts)),
        recording_bytes=event.recording_bytes,
    )


def _put(columns: Mapping[str, Column], names: tuple[str, ...], batch: TokenBatch | StepBatch) -> None:
    for name in names:
        array: Array = getattr(batch, name)
        columns[name].put(batch.first, array.numpy())


def _with_run(state: State, name: str, change: Callable[[Run], Run]) -> State:
    runs = tuple(change(run) if run.info.run == name else run for run in state.runs)
    state = replace(state, runs=runs)
    run = state.run
    if run is None or run.info.run != name or not state.following or not run.tokens:
        return state
    return replace(state, selection=replace(state.selection, token=run.tokens - 1))


def _fail(state: State, event: Failed) -> State:
    loading = None if state.loading and state.loading.request == event.request else state.loading
    return replace(
        state,
        loading=loading,
        running=0 if state.running == event.request else state.running,
        proving=0 if state.proving == event.request else state.proving,
        notices=(*state.notices, Notice(event.message)),
    )


def died(state: State, cause: str) -> State:
    """The engine is gone: everything shown stays, nothing runs any more, a restart is offered."""
    return replace(
        state,
        engine="dead",
        running=0,
        proving=0,
        loading=None,
        notices=(*state.notices, Notice(cause, key="restart")),
    )
