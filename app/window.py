"""The main window: it builds, places and connects; what it shows is `present`'s and `chrome`'s affair."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from app import chrome, present, present_attention
from app.asking import View, Window
from app.bundled import STUDY
from app.card import card_facts
from app.derived import Counter
from app.menus import Menus
from app.parts import Parts
from app.session import Session
from app.shown import same_but_pictures
from app.state import State
from app.study_window import StudyWindow, present_study
from app.touring import Touring
from model.messages import DtypeChoice
from model.tour import Tour
from widgets.attention.data import WantedRange
from widgets.prompt.prompt_request import PromptRequest

LEFT_WIDTH = 280
COMPACT = QSize(1120, 640)  # smaller than this, the views become tabs


class MainWindow(QMainWindow):
    """Signals: `theme_wanted()`; `closed()` once, after which the engine should be ended."""

    theme_wanted = Signal()
    closed = Signal()

    def __init__(self, session: Session, *, samples: list[tuple[str, str, str]], tour: Tour | None = None) -> None:
        super().__init__()
        self.setWindowTitle("Latent Loupe")
        self.setAcceptDrops(True)
        self.resize(1600, 1000)
        self.setMinimumSize(720, 480)
        self.session = session
        self.parts = Parts()
        self.parts.prompt.set_samples(samples)
        self._counter = Counter()
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(self._show_counts)
        self._study: StudyWindow | None = None
        self._place()
        self.touring = Touring(session, self.parts, tour, self)
        self.menus = Menus(self, self.parts, session, self.touring, samples=samples)
        self._connect()
        self.show_state(State(), session.state, everything=True)

    def show_state(self, before: State, state: State, *, everything: bool = False) -> None:
        """Let every part show its share of the state, those that changed."""
        parts = self.parts
        self.setWindowTitle(chrome.window_title(state))
        chrome.show_model(parts, state)
        chrome.show_status(parts, state)
        chrome.show_notices(parts, before, state)
        if chrome.show_sheet(parts, before, state):
            self._place_sheet()
        self._show_card(before, state)
        if parts.has_study and (everything or before.study is not state.study):
            present_study(parts.study, state)
        if everything or (before.runs, before.current, before.running) != (state.runs, state.current, state.running):
            chrome.show_prompt(parts, state)
            present.show_timeline(parts.timeline, state)
        seen = (before.runs, before.current, before.selection, before.choices)
        moved = everything or seen != (state.runs, state.current, state.selection, state.choices)
        if moved or before.shown is not state.shown:
            present_attention.show_attention(parts.attention, state)
        self._show_attention_panels(None if everything else before, state, moved=moved)
        if moved or before.shown.scores is not state.shown.scores or before.profile is not state.profile:
            present.show_routing(parts.routing, state, self._counter)
        if moved:
            offered = state.run is None and self.touring.available
            parts.attention.show_offer(self.tr("Take the tour") if offered else "")
            self._look()
            present.show_strip(parts.strip, state, self._counter)
            parts.show_selection(state.selection)
            if before.run is None and state.run is not None:
                self._rest.start()  # a first run dresses every panel at once, which is more than a frame's work
            elif not self._rest.isActive():
                self._show_counts()

    def _show_counts(self) -> None:
        """Devices and KV memory, as the state now is."""
        state = self.session.state
        present.show_devices(self.parts.devices, state, self._counter)
        present.show_memory(self.parts.memory, state)
        self.parts.show_counts_selection(state.selection)

    def _show_attention_panels(self, before: State | None, state: State, *, moved: bool) -> None:
        """The panels behind the map; each only when there is something new for it."""
        parts = self.parts
        fresh = before is None or before.shown is not state.shown
        others = before is None or not same_but_pictures(before.shown, state.shown)
        asked = before is not None and before.drift_wanted != state.drift_wanted
        if moved or others or asked or before is None or before.pair != state.pair:
            present_attention.show_heads(parts.heads, before, state)
            present_attention.show_sums(parts.sums, state)
            present_attention.show_latents(parts.latents, state, measuring=asked or self.session.is_open("drift"))
        if moved or fresh or before is None or before.pins != state.pins:
            present_attention.show_compare(parts.compare, state)
            self._look()

    # ---- placing ---------------------------------------------------------------------------------------

    def _place(self) -> None:
        parts, centre = self.parts, QWidget(self)
        self._centre = centre
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(parts.top)
        column.addWidget(parts.tour)
        column.addWidget(parts.notices)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 8, 0)
        middle.setSpacing(8)
        parts.prompt.setFixedWidth(LEFT_WIDTH)
        middle.addWidget(parts.prompt)
        right = QVBoxLayout()
        right.setContentsMargins(0, 8, 0, 8)
        right.setSpacing(8)
        right.addWidget(parts.strip)
        right.addWidget(parts.docks, 1)
        middle.addLayout(right, 1)
        column.addLayout(middle, 1)
        column.addWidget(parts.timeline)
        column.addWidget(parts.status)
        self.setCentralWidget(centre)
        parts.sheet.setParent(centre)
        parts.sheet.hide()
        parts.card.setParent(centre)
        parts.card.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size = event.size()
        self.parts.docks.set_compact(size.width() < COMPACT.width() or size.height() < COMPACT.height())
        self._place_sheet()
        self._place_card()

    def _show_card(self, before: State, state: State) -> None:
        card = self.parts.card
        facts = card_facts(state) if state.card else None
        if facts is not None:
            card.show_facts(facts)
        card.setVisible(facts is not None)
        if facts is not None and not before.card:
            self._place_card()
            card.setFocus()

    def _place_card(self) -> None:
        card, centre = self.parts.card, self._centre
        width, height = min(card.maximumWidth(), centre.width() - 32), centre.height() - 88
        card.setGeometry((centre.width() - width) // 2, 56, width, height)
        card.raise_()

    def _place_sheet(self) -> None:
        sheet, centre = self.parts.sheet, self._centre
        width = min(sheet.maximumWidth(), centre.width() - 32)
        layout = sheet.layout()
        height = (
            layout.totalHeightForWidth(width) if layout and layout.hasHeightForWidth() else sheet.sizeHint().height()
        )
        sheet.resize(width, min(max(height, sheet.minimumSizeHint().height()), centre.height() - 32))
        free = centre.height() - sheet.height()
        sheet.move((centre.width() - sheet.width()) // 2, min(max(56, free // 3), free - 16))
        sheet.raise_()

    # ---- connecting ------------------------------------------------------------------------------------

    def _connect(self) -> None:
        parts, session = self.parts, self.session
        session.changed.connect(self.show_state)
        # prompt
        parts.prompt.submitted.connect(self._submit)
        parts.prompt.stop_wanted.connect(session.stop)
        parts.prompt.run_chosen.connect(session.show_run)
        # selection
        speaking = (parts.attention, parts.routing, parts.memory, parts.compare, parts.latents, parts.sums)
        tokens = [view.token_chosen for view in speaking]
        for chosen in (*tokens, parts.strip.token_chosen, parts.timeline.token_chosen):
            chosen.connect(session.choose_token)
        for chosen in (
            parts.top.layer_chosen,
            parts.routing.layer_chosen,
            parts.devices.layer_chosen,
            parts.latents.layer_chosen,
        ):
            chosen.connect(session.choose_layer)
        for chosen in (parts.top.head_chosen, parts.attention.head_chosen, parts.latents.head_chosen):
            chosen.connect(session.choose_head)
        for chosen in (parts.routing.expert_chosen, parts.devices.expert_chosen):
            chosen.connect(session.choose_expert)
        parts.devices.device_chosen.connect(session.choose_device)
        # ways of seeing
        self._connect_attention()
        for chosen, name in (
            (parts.attention.quantity_chosen, "quantity"),
            (parts.attention.exact_chosen, "exact"),
            (parts.heads.mode_chosen, "heads_mode"),
            (parts.heads.order_chosen, "heads_order"),
            (parts.compare.mode_chosen, "compare_mode"),
            (parts.latents.mode_chosen, "latents_mode"),
            (parts.attention.reduction_chosen, "reduction"),
            (parts.routing.mode_chosen, "routing_mode"),
            (parts.devices.mode_chosen, "devices_mode"),
            (parts.devices.devices_changed, "devices"),
            (parts.devices.placement_chosen, "placement"),
            (parts.memory.scale_chosen, "memory_scale"),
            (parts.memory.measure_chosen, "memory_measure"),
            (parts.strip.measure_chosen, "measure"),
            (parts.timeline.colouring_chosen, "timeline_colouring"),
        ):
            chosen.connect(partial(session.choose, name))
        # hover
        hovers = [view.hovered_text for view in (*speaking, parts.devices, parts.heads)]
        for hovered in (*hovers, parts.strip.hovered_text, parts.timeline.hovered_text):
            hovered.connect(parts.status.show_hover)
        # tour
        self.touring.looked_at.connect(self._mark)
        parts.attention.offer_taken.connect(self.touring.toggle)
        self.menus.study_wanted.connect(self.open_study)
        # model, engine, notices
        parts.top.card_wanted.connect(lambda: session.show_card(not session.state.card))
        parts.card.closed.connect(lambda: session.show_card(False))
        parts.top.proof_wanted.connect(session.prove)
        parts.top.theme_wanted.connect(self.theme_wanted)
        parts.status.stop_wanted.connect(session.stop)
        parts.status.cancel_wanted.connect(session.cancel_progress)
        parts.sheet.accepted_with.connect(self._accept)
        parts.sheet.plan_wanted.connect(self._plan)
        parts.sheet.declined.connect(session.decline)
        parts.notices.action_chosen.connect(self._act)
        parts.notices.dismissed.connect(session.dismiss_notice)

    def _mark(self, name: str) -> None:
        """Frame the view that the tour speaks of; among tabs, bring it to the front."""
        for key, view in self.parts.views.items():
            view.show_marked(key == name)
        if name:
            self.parts.docks.bring_forward(self.parts.views[name])

    def _submit(self, wanted: PromptRequest) -> None:
        self.session.submit(
            wanted.prompt or "",
            token_ids=wanted.token_ids,
            chat=wanted.chat,
            system=wanted.system,
            max_new_tokens=wanted.max_new_tokens,
            sampling=wanted.sampling,
        )

    def _connect_attention(self) -> None:
        parts, session = self.parts, self.session
        for moved in (parts.attention.range_wanted, parts.compare.range_wanted, parts.latents.range_wanted):
            moved.connect(lambda _wanted: self._look())
        parts.docks.seen.connect(self._look)
        parts.heads.layers_wanted.connect(self._look_at_layers)
        parts.attention.cell_hovered.connect(session.hover)
        parts.attention.pair_chosen.connect(session.ask_pair)
        parts.heads.pair_chosen.connect(session.ask_pair)
        parts.heads.head_chosen.connect(session.choose_place)
        parts.compare.pin_wanted.connect(session.pin_head)
        parts.compare.unpin_wanted.connect(session.unpin)
        parts.compare.pin_opened.connect(session.open_pin)
        parts.latents.drift_wanted.connect(session.measure_drift)

    def _look(self) -> None:
        """Tell the session what the widgets have room for, and which of them are on screen."""
        parts = self.parts
        tokens, cell = parts.latents.wanted()
        on_screen = parts.docks.on_screen()
        self.session.look_at(
            View(
                map=_window(parts.attention.wanted()),
                pins=_window(parts.compare.wanted()),
                latents=(None if parts.latents.shows_all() else tokens, cell),
                layers=self.session.view().layers,
                panels=frozenset(name for name, view in parts.views.items() if view.title() in on_screen),
            )
        )

    def _look_at_layers(self, layers: tuple[int, ...]) -> None:
        self.session.look_at(replace(self.session.view(), layers=layers))

    def _plan(self, device: str, dtype: DtypeChoice, budget_bytes: int) -> None:
        self.session.plan_again(device=device, dtype=dtype, budget_bytes=budget_bytes)

    def _accept(self, device: str, dtype: DtypeChoice, budget_bytes: int) -> None:
        described = self.session.state.described
        if described is not None:
            path = described.summary.path
            self.session.open_checkpoint(path, device=device, dtype=dtype, budget_bytes=budget_bytes)

    def _act(self, key: str) -> None:
        if key == "restart":
            self.session.start_engine()
        elif key == "raw":
            self.parts.prompt.show_style("raw")
            self.parts.prompt.focus_prompt()
            self.session.dismiss_notice(key)
        elif key == "profile":
            self.session.choose("routing_mode", "profile")
            self.session.dismiss_notice(key)

    # ---- from outside ----------------------------------------------------------------------------------

    def open_path(self, path: str) -> None:
        """Open what a person named or dropped: a run folder, or a checkpoint to be described first."""
        place = Path(path)
        folder = place if place.is_dir() else place.parent
        if place.suffix.lower() != ".gguf" and (folder / "manifest.json").exists():
            self.session.open_recording(str(folder))
        else:
            self.session.describe(path)

    def open_study(self) -> None:
        """Show the attention study in a window of its own."""
        window = self._study_window()
        self.session.show_study(STUDY)
        window.show()
        window.raise_()
        window.activateWindow()

    def _study_window(self) -> StudyWindow:
        if self._study is None:
            view = self.parts.study
            view.compare_wanted.connect(self.session.compare_attentions)
            view.stop_wanted.connect(self.session.stop_comparing)
            view.hovered_text.connect(self.parts.status.show_hover)
            present_study(view, self.session.state)
            self._study = StudyWindow(view, self)
        return self._study

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        files = [url.toLocalFile() for url in event.mimeData().urls()[:100] if url.isLocalFile()]
        if files:
            self.open_path(files[0])
        else:
            self.session.say(
                self.tr(
                    "Only a folder or a .gguf file on this computer can be opened; drop a checkpoint or a run folder."
                )
            )

    def closeEvent(self, event: QCloseEvent) -> None:
        super().closeEvent(event)
        self.closed.emit()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StatusTip:
            return True  # menus would write into a status bar that this window does not have
        return super().event(event)


def _window(wanted: WantedRange) -> Window:
    return Window(cell=wanted.cell) if wanted.whole else Window(wanted.queries, wanted.keys, wanted.cell)
