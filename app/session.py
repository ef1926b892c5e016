"""What a person can do, and the state it leads to: the one place where commands are sent and State changes."""

import time
from dataclasses import replace
from pathlib import Path

from msgspec import structs
from PySide6.QtCore import QObject, QTimer, Signal

from app.asking import MOST_PINS
from app.bridge import EngineBridge
from app.questions import Questions, View
from app.selecting import select, select_run
from app.state import LoadProgress, Notice, Pin, ProfileProgress, State, apply, died, ended, noted, retire
from app.study import study_ended, study_started
from model.config import Sampling
from model.messages import (
    Command,
    CompareAttentions,
    Describe,
    DtypeChoice,
    Event,
    Failed,
    Generate,
    Heartbeat,
    Loading,
    OpenCheckpoint,
    Opened,
    OpenRecording,
    ProfileExperts,
    ReadAbout,
    Ready,
    Stop,
    Verify,
)
from model.problems import Problem
from model.study_report import read_report
from widgets.selection import Selection

FRAME_MS = 33  # at most 30 redraws a second
PROFILE_TOKENS = 4096  # of each text: about a minute for a small model and a dozen texts
PATIENCE = 10.0  # seconds without a heartbeat before the engine counts as silent


class Session(QObject):
    """State, engine and questions together; widgets know none of them.

    Signals: `changed(State, State)`, before and after, at most 30 times a second and never in a slot that
    caused it; `told(Event)`, every event as it arrives, for those who wait for one.
    """

    changed = Signal(object, object)
    told = Signal(object)

    def __init__(self, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = State()
        self._drawn = self.state
        self._bridge = bridge
        self._view = View()
        self._questions = Questions(time.monotonic, bridge.next_request)
        self._heard = time.monotonic()
        self._tried: OpenCheckpoint | None = None
        self._opened: OpenCheckpoint | None = None
        self._load_began = 0.0
        self._replaced: set[int] = set()  # loads that a later one took the place of
        self._stopped: set[int] = set()  # comparisons and runs that a person ended
        self._chat = 0  # the request number of the last prompt that was put into a chat template
        self._frame = _single_shot(self, FRAME_MS, self._draw)
        self._later = _single_shot(self, FRAME_MS, self._ask)
        self._watch = QTimer(self, interval=1000)
        self._watch.timeout.connect(self._look_for_silence)
        bridge.received.connect(self._take)
        bridge.died.connect(self._bury)

    # ---- the engine ----------------------------------------------------------------------------------

    def start_engine(self) -> None:
        """Start the engine, or replace a dead or silent one; the last model that opened is opened again."""
        self._heard = time.monotonic()
        self._watch.start()
        self._questions.forget()
        self._replaced.clear()
        state = replace(retire(self.state), engine="starting", loading=None, describing=None, profiling=None)
        self._set(replace(state, notices=_without(state, "restart")))
        self._bridge.start()
        # A checkpoint that the engine died of is tried again only when there is no better one.
        again = self._opened or self._tried
        if again is not None:
            self._load(again)

    def process_id(self) -> int | None:
        """The engine's process id, when one was started."""
        return self._bridge.process_id()

    def close(self) -> None:
        """End the engine."""
        self._watch.stop()
        self._bridge.close()

    # ---- checkpoints and runs --------------------------------------------------------------------------

    def describe(self, path: str, *, device: str = "auto", dtype: DtypeChoice = "auto", budget_bytes: int = 0) -> None:
        """Ask for a checkpoint's description and memory plan, to be accepted or declined."""
        self.decline()  # the one before, if it still waits
        self._describe(Describe(path=path, device=device, dtype=dtype, budget_bytes=budget_bytes))

    def plan_again(self, *, device: str, dtype: DtypeChoice, budget_bytes: int) -> None:
        """Ask for the plan of the described checkpoint under other choices; it stays on show meanwhile."""
        described = self.state.described
        if described is not None:
            path = described.summary.path
            self._describe(Describe(path=path, device=device, dtype=dtype, budget_bytes=budget_bytes))

    def open_checkpoint(
        self, path: str, *, device: str = "auto", dtype: DtypeChoice = "auto", budget_bytes: int = 0
    ) -> None:
        """Load a checkpoint; the open one stays until the new one is there."""
        self._load(OpenCheckpoint(path=path, device=device, dtype=dtype, budget_bytes=budget_bytes))

    def decline(self) -> None:
        """Put the description away, also one that is still on its way."""
        if self.state.described is not None or self.state.describing is not None:
            self._set(replace(self.state, described=None, describing=None))

    def cancel_load(self) -> None:
        """Stop loading; the person sees at once that it was heard."""
        loading = self.state.loading
        if loading is not None and not loading.cancelling:
            self._set(replace(self.state, loading=replace(loading, cancelling=True)))
            self._send(Stop(request=self._bridge.next_request(), target=loading.request))

    def show_card(self, wanted: bool) -> None:
        """Open or close the model card."""
        self._set(replace(self.state, card=wanted and self.state.model is not None))

    def profile_experts(self, folder: str) -> None:
        """Count what the open model's experts are chosen for over the texts of a folder; runs go on beside it."""
        if self.state.model is None:
            self.say(self.tr("No model is open yet; wait for it, or open a checkpoint."))
            return
        self._cancel_profile()
        request = self._bridge.next_request()
        self._set(replace(self.state, profiling=ProfileProgress(request, folder)))
        self._send(ProfileExperts(request=request, texts=folder, tokens=PROFILE_TOKENS))

    def show_study(self, folder: Path) -> None:
        """Read the attention study's report, so that it can be shown."""
        try:
            study = replace(self.state.study, report=read_report(folder), problem="", folder=str(folder))
        except Problem as problem:
            study = replace(self.state.study, report=None, problem=str(problem), folder=str(folder))
        self._set(replace(self.state, study=study))

    def compare_attentions(self, prompt: str) -> None:
        """Run a prompt through the study's four models; the comparison before is given up."""
        self.stop_comparing()
        request = self._bridge.next_request()
        study = study_started(self.state.study, request=request, prompt=prompt)
        self._set(replace(self.state, study=study))
        self._send(CompareAttentions(request=request, folder=study.folder, prompt=_well_formed(prompt)))

    def stop_comparing(self) -> None:
        """End the comparison that goes on; its curves stay."""
        request = self.state.study.request
        if request:
            self._set(replace(self.state, study=study_ended(self.state.study, request)))
            self._stopped.add(request)
            self._send(Stop(request=self._bridge.next_request(), target=request))

    def cancel_progress(self) -> None:
        """Stop what the status line shows the progress of."""
        if self.state.loading is not None:
            self.cancel_load()
        else:
            self._cancel_profile()

    def submit(
        self,
        prompt: str,
        *,
        token_ids: tuple[int, ...] | None = None,
        chat: bool = False,
        system: str = "",
        max_new_tokens: int,
        sampling: Sampling,
    ) -> None:
        """Run the open model, also while another one loads; refused while another run goes on."""
        if self.state.running or self.state.model is None:
            return
        request = self._bridge.next_request()
        self._chat = request if chat else 0
        self._set(replace(self.state, running=request))
        self._send(
            Generate(
                request=request,
                prompt=_well_formed(prompt),
                token_ids=None if token_ids is None else list(token_ids),
                chat=chat,
                system=_well_formed(system),
                max_new_tokens=max_new_tokens,
                sampling=sampling,
            )
        )

    def stop(self) -> None:
        """End the live run within one token; what was recorded stays."""
        if self.state.running:
            self._stopped.add(self.state.running)  # one that had not begun fails, and nobody need be told
            self._send(Stop(request=self._bridge.next_request(), target=self.state.running))

    def back_out(self) -> None:
        """Leave what is in front: put a description away, stop loading, or end the live run."""
        if self.state.described is not None:
            self.decline()
        elif self.state.card:
            self.show_card(False)
        elif self.state.loading is not None:
            self.cancel_load()
        elif self.state.running:
            self.stop()
        elif self.state.study.request:
            self.stop_comparing()
        else:
            self._cancel_profile()

    def open_recording(self, folder: str) -> None:
        """Open a run folder; it shows like a live run."""
        self._send(OpenRecording(request=self._bridge.next_request(), folder=folder))

    def prove(self) -> None:
        """Check the open model: rebuilt attention and the absorbed path against the plain pass."""
        if self.state.model is None or self.state.proving:
            return
        request = self._bridge.next_request()
        self._set(replace(self.state, proving=request))
        self._send(Verify(request=request))

    # ---- looking ---------------------------------------------------------------------------------------

    def show_run(self, name: str) -> None:
        """Look at another run of this session."""
        self._questions.forget()
        self._set(select_run(self.state, name))

    def choose_token(self, token: int) -> None:
        """Select a token; choosing the newest one of a live run goes on following it."""
        run = self.state.run
        newest = run is not None and run.finished is None and token >= run.tokens - 1
        self._select(replace(self.state.selection, token=token), following=newest)

    def choose_layer(self, layer: int) -> None:
        """Select an attention block."""
        self._select(replace(self.state.selection, layer=layer))

    def choose_head(self, head: int) -> None:
        """Select a head."""
        self._select(replace(self.state.selection, head=head))

    def choose_expert(self, expert: int) -> None:
        """Select an expert; the selected one again unselects it."""
        chosen = None if expert == self.state.selection.expert else expert
        self._select(replace(self.state.selection, expert=chosen))

    def choose_device(self, device: int) -> None:
        """Select a device; the selected one again unselects it."""
        chosen = None if device == self.state.selection.device else device
        self._select(replace(self.state.selection, device=chosen))

    def go_to(self, selection: Selection, *, following: bool) -> None:
        """Select everything at once, and stay there while the run grows or go on with its newest token."""
        self._select(selection, following=following)

    def choose(self, name: str, value: object) -> None:
        """Change one of the `Choices`: how a view looks at things."""
        self._set(replace(self.state, choices=replace(self.state.choices, **{name: value})))  # type: ignore[arg-type]  # names and values are the widgets' own

    def choose_place(self, layer: int, head: int) -> None:
        """Select a head of any layer."""
        self._select(replace(self.state.selection, layer=layer, head=head))

    def pin_head(self) -> None:
        """Keep the head in view, to compare it with others."""
        run, selection = self.state.run, self.state.selection
        if run is not None:
            pin = Pin(run.info.run, selection.layer, selection.head)
            if pin not in self.state.pins and len(self.state.pins) < MOST_PINS:
                self._set_pins((*self.state.pins, pin))

    def unpin(self, index: int) -> None:
        """Let a pinned head go."""
        self._set_pins(self.state.pins[:index] + self.state.pins[index + 1 :])

    def open_pin(self, index: int) -> None:
        """Look at a pinned head, and at its run."""
        pin = self.state.pins[index]
        if pin.run != self.state.current:
            self.show_run(pin.run)
        self.choose_place(pin.layer, pin.head)

    def ask_pair(self, query: int, key: int) -> None:
        """Ask which heads connect two tokens."""
        if key <= query:
            self._set(replace(self.state, pair=(query, key)))

    def measure_drift(self) -> None:
        """Ask how far the layer's maps drift with latents in fewer bits."""
        run, before = self.state.run, self.state.drift_wanted
        if run is not None:
            times = 1 if before is None else before[2] + 1
            self._set(replace(self.state, drift_wanted=(run.info.run, self.state.selection.layer, times)))

    def look_at(self, view: View) -> None:
        """What the widgets have room for now, and which of them are on screen."""
        if view != self._view:
            self._view = view
            self._ask()

    def view(self) -> View:
        """What was said last about the room there is."""
        return self._view

    def is_open(self, kind: str) -> bool:
        """Whether the last stage of an answer is still to come, or the question itself: a run may have grown since."""
        return self._questions.is_open(kind) or self._questions.is_due(kind, self.state, self._view)

    def hover(self, cell: tuple[int, int] | None) -> None:
        """The cursor is over this query and key of the attention map, or has left it."""
        self.state = replace(self.state, hovered=cell)  # nothing to draw before the answer
        self._ask()

    def say(self, text: str) -> None:
        """Tell the person something that the window itself found out."""
        self._set(replace(self.state, notices=noted(self.state.notices, Notice(text))))

    def dismiss_notice(self, key: str) -> None:
        """The person has put this notice away."""
        self._set(replace(self.state, notices=_without(self.state, key)))

    # ---- inside ----------------------------------------------------------------------------------------

    def _set_pins(self, pins: tuple[Pin, ...]) -> None:
        shown = self.state.shown
        # Slots are numbered: what another head left in one is not of this one.
        kept = {slot: each for slot, each in shown.pictures.items() if slot in ("map", "content", "position")}
        self._set(replace(self.state, pins=pins, shown=replace(shown, pictures=kept)))

    def _describe(self, command: Describe) -> None:
        asked = structs.replace(command, request=self._bridge.next_request())
        self._set(replace(self.state, describing=asked))
        self._send(asked)

    def _cancel_profile(self) -> None:
        profiling = self.state.profiling
        if profiling is not None and not profiling.cancelling:
            self._set(replace(self.state, profiling=replace(profiling, cancelling=True)))
            self._send(Stop(request=self._bridge.next_request(), target=profiling.request))

    def _load(self, command: OpenCheckpoint) -> None:
        self._cancel_profile()  # it would be one of the model before
        before, request = self.state.loading, self._bridge.next_request()
        self._tried = structs.replace(command, request=request)
        self._load_began = time.monotonic()
        self._set(replace(self.state, described=None, describing=None, loading=LoadProgress(request, command.path)))
        if before is not None:
            self._replaced.add(before.request)
            self._send(Stop(request=self._bridge.next_request(), target=before.request))
        self._send(self._tried)

    def _select(self, selection: Selection, *, following: bool | None = None) -> None:
        state = self.state if following is None else replace(self.state, following=following)
        self._set(select(state, selection))

    def _send(self, command: Command) -> None:
        if not self._bridge.send(command):
            self._set(apply(self.state, Failed(request=command.request, message=self.tr("The engine is not running."))))

    def _take(self, event: Event) -> None:
        self._heard = time.monotonic()
        answered = self._questions.answered(event)
        if not answered and self._questions.asked(event):
            return  # a late answer to a question that was replaced, or to a stop
        if isinstance(event, Failed) and answered:
            return  # a view's question that no longer has an answer; the next one is on its way
        state = self._applied(event)
        if state.engine == "silent":
            state = replace(state, engine="ready", notices=_without(state, "restart"))
        elif isinstance(event, Ready | Heartbeat):
            state = replace(state, engine="ready")
        self._set(state)
        if isinstance(event, Opened):
            if self._tried is not None and self._tried.request == event.request:
                self._opened = self._tried
            self.prove()
            self._send(ReadAbout(request=self._bridge.next_request(), path=event.summary.path))
        self.told.emit(event)

    def _applied(self, event: Event) -> State:
        """The next state, with what only the session knows: the time, and what was asked for."""
        if isinstance(event, Failed) and event.request in self._replaced | self._stopped:
            self._replaced.discard(event.request)
            self._stopped.discard(event.request)
            return ended(self.state, event.request)
        state = apply(self.state, event)
        if isinstance(event, Loading) and state.loading is not None and state.loading is not self.state.loading:
            seconds = time.monotonic() - self._load_began
            return replace(state, loading=replace(state.loading, seconds=seconds))
        if isinstance(event, Failed) and event.request == self._chat and "template" in event.message:
            # Told apart from a prompt that is too long by the engine's own word for what failed.
            return replace(
                ended(self.state, event.request), notices=noted(self.state.notices, Notice(event.message, "raw"))
            )
        return state

    def _bury(self, cause: str) -> None:
        self._watch.stop()
        told = self.tr("{cause}. What is shown stays; restart the engine to go on.")
        self._set(died(self.state, told.format(cause=cause)))

    def _set(self, state: State) -> None:
        if state is self.state:
            return
        self.state = state
        if not self._frame.isActive():
            self._frame.start()

    def _draw(self) -> None:
        before, self._drawn = self._drawn, self.state
        self.changed.emit(before, self._drawn)
        self._ask()

    def ask_now(self) -> None:
        """Send the views' questions without waiting for the next redraw."""
        self._ask()

    def _ask(self) -> None:
        commands, waiting = self._questions.due(self.state, self._view)
        for command in commands:
            self._bridge.send(command)
        if waiting and not self._later.isActive():
            self._later.start()

    def _look_for_silence(self) -> None:
        if self.state.engine == "ready" and time.monotonic() - self._heard > PATIENCE:
            text = self.tr("The engine has not answered for ten seconds; wait, or restart it.")
            notices = noted(self.state.notices, Notice(text, key="restart"))
            self._set(replace(self.state, engine="silent", notices=notices))


def _well_formed(text: str) -> str:
    """Text that UTF-8 can carry: half a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _without(state: State, key: str) -> tuple[Notice, ...]:
    return tuple(notice for notice in state.notices if notice.key != key)


def _single_shot(parent: QObject, interval: int, slot: object) -> QTimer:
    timer = QTimer(parent, interval=interval, singleShot=True)
    timer.timeout.connect(slot)
    return timer
