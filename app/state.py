"""Everything the window shows, frozen, and `apply`: how an event from the engine changes it. Qt-free."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from msgspec import structs

from app.runs import Run, grow, new_columns
from app.shown import Shown, belongs, with_answer
from app.study import Study, study_after, study_ended
from model.expert_profile import ExpertProfile
from model.messages import (
    About,
    Aggregated,
    AttentionsCompared,
    AttentionShown,
    CacheGrown,
    CellReduction,
    CellShown,
    CheckpointSummary,
    Describe,
    Described,
    DriftShown,
    Event,
    Extracted,
    Failed,
    Finished,
    Grown,
    HeadsAsked,
    HeadsSurveyed,
    Heartbeat,
    LatentMapShown,
    LatentsShown,
    Loading,
    Measured,
    Opened,
    PictureShown,
    Profiled,
    Profiling,
    Quantity,
    RanksShown,
    ReadingShown,
    Ready,
    RowShown,
    ScoresShown,
    Started,
    Verified,
)
from model.placement import PlacementName
from widgets.selection import Selection


@dataclass(frozen=True, slots=True)
class OpenModel:
    """The model that prompts run on."""

    summary: CheckpointSummary
    device: str
    dtype: str
    budget_bytes: int = 0  # of memory that cannot be given back; 0: not known
    proof: Verified | None = None


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """A load that is going on, in bytes, and the seconds it took to come so far."""

    request: int
    path: str
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    cancelling: bool = False  # a person has asked for its end, which has not come yet


@dataclass(frozen=True, slots=True)
class ProfileProgress:
    """Experts are being profiled over the texts of a folder; in tokens."""

    request: int
    texts: str
    done: int = 0
    total: int = 0
    cancelling: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """A head that a person keeps to compare it with others."""

    run: str
    layer: int
    head: int


@dataclass(frozen=True, slots=True)
class Choices:
    """How the views look at things."""

    quantity: Quantity | Literal["both"] = "probability"
    reduction: CellReduction = "max"
    exact: bool = False  # float32 also where bf16 is faster
    heads_mode: Literal["layer", "all", "pair"] = "layer"
    heads_order: str = "model"
    compare_mode: Literal["side", "difference"] = "side"
    latents_mode: Literal["map", "rank", "reading", "drift"] = "map"
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
    """Something that a person should read; `key` tells which button to offer, and what it takes the place of."""

    text: str
    key: Literal["", "restart", "raw", "notes", "profile"] = ""


@dataclass(frozen=True, slots=True)
class State:
    """The whole window."""

    engine: Literal["starting", "ready", "busy", "silent", "dead"] = "starting"
    ready: Ready | None = None
    model: OpenModel | None = None
    described: Described | None = None
    planned: Describe | None = None  # what `described` answers
    describing: Describe | None = None  # what has been asked and not been answered
    loading: LoadProgress | None = None
    about: About | None = None  # what lies beside the open model's weights
    profile: ExpertProfile | None = None  # of the open model's experts
    profiling: ProfileProgress | None = None
    card: bool = False  # whether the model card is open
    study: Study = field(default_factory=Study)
    proving: int = 0  # the request number of a running Verify
    running: int = 0  # the request number of a live run
    runs: tuple[Run, ...] = ()
    current: str = ""
    selection: Selection = field(default_factory=Selection)
    hovered: tuple[int, int] | None = None  # query and key under the cursor, worth asking for
    pair: tuple[int, int] | None = None  # query and key that a person asks about
    pins: tuple[Pin, ...] = ()
    drift_wanted: tuple[str, int, int] | None = None  # run, layer, and how many times it was asked for
    following: bool = True  # the selection stays on the newest token
    shown: Shown = field(default_factory=Shown)
    choices: Choices = Choices()
    notices: tuple[Notice, ...] = ()
    resident_bytes: int = 0
    unreclaimable_bytes: int = 0

    @property
    def run(self) -> Run | None:
        """The run on show."""
        return self.run_named(self.current)

    def run_named(self, name: str) -> Run | None:
        """A run of this session."""
        return next((run for run in self.runs if run.info.run == name), None)


def apply(state: State, event: Event) -> State:
    """The state after an event."""
    match event:
        case Ready():
            return replace(state, engine="ready", ready=event)
        case Described():
            if state.describing is None or event.request != state.describing.request:
                return state  # of a checkpoint that was declined, or with choices that were changed
            return replace(state, described=event, planned=state.describing, describing=None)
        case Loading():
            if state.loading is None or state.loading.request != event.request:
                return state
            return replace(state, loading=replace(state.loading, done=event.done, total=event.total))
        case Opened():
            return _open(state, event)
        case About():
            if state.model is None or event.path != state.model.summary.path:
                return state
            return replace(state, about=event, profile=state.profile or event.profile)
        case Profiling():
            if state.profiling is None or state.profiling.request != event.request:
                return state
            return replace(state, profiling=replace(state.profiling, done=event.done, total=event.total))
        case Profiled():
            return _profiled(state, event)
        case CacheGrown() | AttentionsCompared():
            return replace(state, study=study_after(state.study, event))
        case Started():
            return _start(state, event)
        case Grown():
            return _with_run(state, event.run, lambda run: grow(run, event))
        case Finished():
            state = _with_run(state, event.run, lambda run: replace(run, finished=event))
            return replace(state, running=0 if state.running == event.request else state.running)
        case (
            PictureShown()
            | CellShown()
            | HeadsSurveyed()
            | Aggregated()
            | LatentMapShown()
            | RanksShown()
            | ReadingShown()
            | DriftShown()
            | HeadsAsked()
            | RowShown()
            | ScoresShown()
        ):
            fits = belongs(event, state.current)
            return replace(state, shown=with_answer(state.shown, event)) if fits else state
        case AttentionShown() | LatentsShown() | Extracted() | Measured():
            return state
        case Verified():
            proved = state.model and replace(state.model, proof=event)
            return replace(state, model=proved, proving=0)
        case Failed():
            return _fail(state, event)
        case Heartbeat():
            kept = event.unreclaimable_bytes
            return replace(state, resident_bytes=event.resident_bytes, unreclaimable_bytes=kept)
        case _:
            assert_never(event)


def _open(state: State, event: Opened) -> State:
    """The new model takes the place of the old one; a load that was asked for later goes on."""
    later = state.loading is not None and state.loading.request != event.request
    notices = tuple(notice for notice in state.notices if notice.key != "notes")
    if event.summary.notes:
        notices = noted(notices, Notice("\n".join([f"{event.summary.name}:", *event.summary.notes]), key="notes"))
    return replace(
        state,
        loading=state.loading if later else None,
        model=OpenModel(event.summary, event.device, event.dtype, event.budget_bytes),
        about=None,
        profile=None,
        notices=notices,
    )


def _profiled(state: State, event: Profiled) -> State:
    state = ended(state, event.request)
    if state.model is None or event.path != state.model.summary.path:
        return state
    made = event.profile
    said = f"The experts of {made.model} are profiled: {made.tokens:,} tokens, {len(made.domains)} domains."
    return replace(state, profile=made, notices=noted(state.notices, Notice(said, key="profile")))


def _start(state: State, event: Started) -> State:
    if any(run.info.run == event.info.run for run in state.runs):
        return state
    run = Run(event.info, event.request, columns=new_columns(event.info))
    first = not state.runs
    state = replace(
        state, runs=(*state.runs, run), current=event.info.run, running=event.request, shown=Shown(), following=True
    )
    config, selection = event.info.config, state.selection
    layer = config.moe_layers[0] if first and config.moe_layers else min(selection.layer, config.layers - 1)
    # Another model may have other experts and devices, so none of them stays chosen.
    return replace(state, selection=Selection(layer=layer, head=min(selection.head, config.heads - 1)), pair=None)


def _with_run(state: State, name: str, change: Callable[[Run], Run]) -> State:
    runs = tuple(change(run) if run.info.run == name else run for run in state.runs)
    state = replace(state, runs=runs)
    run = state.run
    if run is None or run.info.run != name or not state.following or not run.tokens:
        return state
    return replace(state, selection=replace(state.selection, token=run.tokens - 1))


def _fail(state: State, event: Failed) -> State:
    long = (state.loading, state.profiling)
    cancelled = any(work is not None and work.request == event.request and work.cancelling for work in long)
    state = ended(state, event.request)
    # Who cancels a load need not be told that it was cancelled.
    return state if cancelled else replace(state, notices=noted(state.notices, Notice(event.message)))


def ended(state: State, request: int) -> State:
    """Nothing of this request goes on any more."""
    return replace(
        state,
        loading=None if state.loading and state.loading.request == request else state.loading,
        describing=None if state.describing and state.describing.request == request else state.describing,
        profiling=None if state.profiling and state.profiling.request == request else state.profiling,
        study=study_ended(state.study, request),
        running=0 if state.running == request else state.running,
        proving=0 if state.proving == request else state.proving,
    )


def noted(notices: tuple[Notice, ...], notice: Notice) -> tuple[Notice, ...]:
    """One more notice, in the place of the one with the same key."""
    return (*(known for known in notices if known.key != notice.key), notice)


def retire(state: State) -> State:
    """Runs of an engine that is gone, under names of their own: a new engine counts its runs from one again.

    What is shown of them stays; nothing more can be rebuilt from them here.
    """
    reason = "The engine of this run has ended; open its recording, or run the prompt again."
    names = {run.info.run: f"{run.info.run}'" for run in state.runs}
    runs = tuple(
        replace(
            run,
            info=structs.replace(run.info, run=names[run.info.run], attention_available=False, attention_reason=reason),
        )
        for run in state.runs
    )
    # Pinned heads cannot be rebuilt either: their runs were known to the engine that is gone.
    return replace(state, runs=runs, current=names.get(state.current, ""), pins=(), pair=None)


def died(state: State, cause: str) -> State:
    """The engine is gone: everything shown stays, nothing runs any more, a restart is offered."""
    return replace(
        state,
        engine="dead",
        running=0,
        proving=0,
        describing=None,
        loading=None,
        profiling=None,
        study=study_ended(state.study, state.study.request),
        resident_bytes=0,
        unreclaimable_bytes=0,
        notices=noted(state.notices, Notice(cause, key="restart")),
    )
