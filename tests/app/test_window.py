"""The window wires every widget to the session, and every view shows its share."""

import pytest
from msgspec import structs
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import QApplication, QDoubleSpinBox, QLabel, QPushButton

from app.session import Session
from app.theme import apply_theme
from app.window import MainWindow
from model.messages import (
    AggregateAttention,
    AskHeads,
    Describe,
    Described,
    Failed,
    Generate,
    Loading,
    OpenCheckpoint,
    OpenRecording,
    Ready,
    ShowCell,
    ShowLatentMap,
    ShowPicture,
    ShowRow,
    SurveyHeads,
    Verified,
)
from tests.app import lens_answers
from tests.app.events import grown, opened, started, summary
from tests.app.fake_bridge import FakeBridge
from widgets.palette import palette
from widgets.proof_badge import ProofBadge
from widgets.routing.reads_line import ReadsLine


@pytest.fixture
def bridge(qapp) -> FakeBridge:
    apply_theme(qapp, palette("dark"))
    return FakeBridge()


@pytest.fixture
def window(bridge, qtbot) -> MainWindow:
    session = Session(bridge)
    window = MainWindow(session, samples=[("English", "English", "The king")])
    window.parts.show_palette(palette("dark"))
    qtbot.addWidget(window)
    window.resize(1600, 1000)
    window.show()
    session.start_engine()
    bridge.received.emit(Ready())
    session.open_checkpoint("/models/tiny")
    bridge.received.emit(opened(bridge.of(OpenCheckpoint)[0].request))
    return window


def generate(window: MainWindow, bridge: FakeBridge, qtbot, tokens: int = 6) -> None:
    window.parts.prompt.set_prompt("hello")
    window.parts.prompt.submitted.emit(window.parts.prompt.request())
    request = bridge.of(Generate)[0].request
    bridge.received.emit(started(request))
    bridge.received.emit(grown(0, tokens, step=0, request=request))
    qtbot.waitUntil(lambda: bool(bridge.of(ShowPicture) and bridge.of(SurveyHeads)))
    answer(bridge)


def answer(bridge: FakeBridge) -> None:
    """Answer the views' questions, each of them once more, with even maps."""
    for command in list(bridge.sent):
        event = lens_answers.answer(command)
        if event is not None:
            bridge.received.emit(event)


def shown_views(window: MainWindow) -> list:
    """All views but the one that waits for a person to pin something."""
    return [view for name, view in window.parts.views.items() if name != "compare"]


def test_all_views_leave_their_hints_once_a_run_grows(window, bridge, qtbot):
    assert all(view.is_empty() for view in window.parts.views.values())
    generate(window, bridge, qtbot)
    qtbot.waitUntil(lambda: not any(view.is_empty() for view in shown_views(window)))
    assert "6 × 6 tokens, every cell" in window.parts.attention.sentence()
    assert "top 2 of 4" in window.parts.routing.sentence()
    assert "simulated" in window.parts.devices.sentence()
    assert "3 layers" in window.parts.memory.sentence()


def test_one_selection_reaches_every_view(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    window.parts.strip.token_chosen.emit(2)
    window.parts.top.layer_chosen.emit(2)
    window.parts.attention.head_chosen.emit(3)
    window.parts.routing.expert_chosen.emit(1)
    window.parts.devices.device_chosen.emit(1)
    selection = window.session.state.selection
    assert (selection.token, selection.layer, selection.head) == (2, 2, 3)
    assert (selection.expert, selection.device) == (1, 1)
    qtbot.waitUntil(lambda: bridge.of(ShowRow)[-1].query == 2 and bridge.of(ShowRow)[-1].head == 3)
    answer(bridge)
    qtbot.waitUntil(lambda: "layer 2 · head 3" in window.parts.attention.sentence())
    assert "layer 2" in window.parts.routing.sentence()


def test_the_selected_tokens_devices_are_named(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    window.parts.strip.token_chosen.emit(2)
    labels = window.parts.devices.findChildren(QLabel)
    qtbot.waitUntil(lambda: any(label.text() == "token 2 “t2␣”: home 0 → 1" for label in labels))


def test_a_dense_layer_says_so_instead_of_showing_experts(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    window.parts.top.layer_chosen.emit(0)
    qtbot.waitUntil(window.parts.routing.is_empty)


def test_the_engines_death_keeps_the_views_and_offers_a_restart(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    bridge.died.emit("Engine stopped (signal 9)")
    qtbot.waitUntil(window.parts.notices.isVisible)
    assert not any(view.is_empty() for view in shown_views(window))
    window.parts.notices.action_chosen.emit("restart")
    assert bridge.starts == 2


def test_a_dropped_folder_is_described_and_a_dropped_run_is_opened(window, bridge, tmp_path):
    checkpoint, run = tmp_path / "model", tmp_path / "run"
    checkpoint.mkdir()
    run.mkdir()
    (run / "manifest.json").write_text("{}")
    for folder in (checkpoint, run):
        drop(window, QUrl.fromLocalFile(str(folder)))
    assert [command.path for command in bridge.of(Describe)] == [str(checkpoint)]
    assert [command.folder for command in bridge.of(OpenRecording)] == [str(run)]


def test_a_dropped_gguf_file_is_described_itself_even_beside_a_run(window, bridge, tmp_path):
    file = tmp_path / "model.GGUF"
    file.touch()
    (tmp_path / "manifest.json").write_text("{}")
    drop(window, QUrl.fromLocalFile(str(file)))
    assert [command.path for command in bridge.of(Describe)] == [str(file)]
    assert not bridge.of(OpenRecording)


def test_a_card_with_another_budget_is_planned_again_and_opened_with_it(window, bridge, qtbot, tmp_path):
    window.open_path(str(tmp_path))
    roomy = structs.replace(summary(), free_bytes=10**11)
    bridge.received.emit(Described(request=bridge.of(Describe)[-1].request, summary=roomy))
    sheet = window.parts.sheet
    qtbot.waitUntil(sheet.isVisible)
    sheet.findChild(QDoubleSpinBox).setValue(2.5)
    asked = bridge.of(Describe)[-1]
    assert (asked.path, asked.budget_bytes) == ("/models/tiny", 2_500_000_000)
    open_button = next(button for button in sheet.findChildren(QPushButton) if button.text().startswith("Open"))
    qtbot.waitUntil(lambda: not open_button.isEnabled())
    over = structs.replace(roomy, resident_bytes=3 * 10**9, fits=False)
    bridge.received.emit(Described(request=asked.request, summary=over))
    words = "3 GB must stay in memory, 2.5 GB are allowed"
    qtbot.waitUntil(lambda: any(words in label.text() for label in sheet.findChildren(QLabel)))
    assert not open_button.isEnabled()
    sheet.findChild(QDoubleSpinBox).setValue(4.0)
    asked = bridge.of(Describe)[-1]
    assert asked.budget_bytes == 4_000_000_000
    bridge.received.emit(Described(request=asked.request, summary=structs.replace(over, fits=True)))
    qtbot.waitUntil(open_button.isEnabled)
    open_button.click()
    assert bridge.of(OpenCheckpoint)[-1].budget_bytes == 4_000_000_000
    qtbot.waitUntil(lambda: not sheet.isVisible())


def test_a_long_prompt_tells_how_much_of_it_is_read(window, bridge, qtbot):
    window.parts.prompt.set_prompt("hello")
    window.parts.prompt.submitted.emit(window.parts.prompt.request())
    request = bridge.of(Generate)[0].request
    bridge.received.emit(started(request, prompt_tokens=8))
    bridge.received.emit(grown(0, 6, step=0, request=request))
    labels = window.parts.status.findChildren(QLabel)
    qtbot.waitUntil(lambda: any(label.text() == "reading the prompt · 6 of 8 tokens" for label in labels))
    bridge.received.emit(grown(6, 2, step=1, request=request))
    qtbot.waitUntil(lambda: any(label.text().startswith("generating · token") for label in labels))


def test_the_old_model_stays_on_show_while_another_loads(window, bridge, qtbot, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("app.session.time.monotonic", lambda: now[0])
    window.session.open_checkpoint("/models/large")
    now[0] += 4
    request = window.session.state.loading.request
    bridge.received.emit(Loading(request=request, done=2_000_000_000, total=31_400_000_000))
    told = "loading large · 2 of 31.4 GB · 500 MB/s · 58.8 s left"
    labels = window.parts.status.findChildren(QLabel)
    qtbot.waitUntil(lambda: any(label.text() == told for label in labels))
    assert any(label.text() == "tiny" for label in window.parts.top.findChildren(QLabel) if label.isVisible())
    window.parts.status.cancel_wanted.emit()
    qtbot.waitUntil(lambda: any(label.text() == "cancelling large…" for label in labels))
    bridge.received.emit(Failed(request=request, message="Stopped before it was done."))
    qtbot.waitUntil(lambda: not any("large" in label.text() for label in labels if label.isVisible()))
    assert window.parts.notices.current() is None


def test_a_failed_template_offers_the_raw_prompt_and_keeps_the_text(window, bridge, qtbot):
    prompt = window.parts.prompt
    prompt.show_chat_template(True)
    prompt.show_style("chat")
    prompt.set_prompt("hello")
    prompt.submit()
    sent = bridge.of(Generate)[0]
    assert sent.chat
    bridge.received.emit(Failed(request=sent.request, message="The chat template failed; use a raw prompt."))
    qtbot.waitUntil(lambda: window.parts.notices.current() is not None)
    assert window.parts.notices.current().action == "Use raw prompt"
    window.parts.notices.action_chosen.emit("raw")
    qtbot.waitUntil(lambda: window.parts.notices.current() is None)
    assert prompt.prompt() == "hello"
    prompt.submit()
    assert not bridge.of(Generate)[-1].chat


def test_a_dropped_web_address_is_refused_with_a_reason(window, bridge):
    drop(window, QUrl("https://example.com/model"))
    assert not bridge.of(Describe)
    assert "on this computer" in window.session.state.notices[-1].text


def drop(window: MainWindow, url: QUrl) -> None:
    data = QMimeData()
    data.setUrls([url])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, buttons, keys))


def test_a_small_window_shows_the_views_as_tabs_and_a_large_one_side_by_side(window, qtbot):
    docks = window.parts.docks
    side_by_side = {"Attention", "Routing", "Devices", "KV memory"}
    qtbot.waitUntil(lambda: docks.on_screen() == side_by_side)
    window.resize(900, 600)
    qtbot.waitUntil(lambda: docks.on_screen() == {"Attention"})
    window.resize(1600, 1000)
    qtbot.waitUntil(lambda: docks.on_screen() == side_by_side)


def test_what_is_brought_to_front_is_asked_for_and_what_is_behind_is_not(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    assert not bridge.of(AggregateAttention)
    window.parts.docks.bring_forward(window.parts.sums)
    qtbot.waitUntil(lambda: bool(bridge.of(AggregateAttention)))
    answer(bridge)
    qtbot.waitUntil(lambda: "looks by position: position has 75% of the score variance" in window.parts.sums.sentence())
    window.parts.docks.bring_forward(window.parts.latents)
    qtbot.waitUntil(lambda: bool(bridge.of(ShowLatentMap)))
    answer(bridge)
    qtbot.waitUntil(lambda: "6 tokens × 8 dimensions, every token" in window.parts.latents.sentence())


def test_a_clicked_cell_asks_which_heads_connect_its_tokens(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    window.parts.attention.pair_chosen.emit(3, 1)
    actions = {action.text(): action for action in window.findChildren(QAction)}
    actions["Which heads connect two tokens"].trigger()
    qtbot.waitUntil(lambda: [(each.query, each.key) for each in bridge.of(AskHeads)] == [(3, 1)])
    answer(bridge)
    qtbot.waitUntil(lambda: "strongest 1·2 with p 0.900" in window.parts.heads.sentence())
    window.parts.heads.head_chosen.emit(1, 2)
    assert (window.session.state.selection.layer, window.session.state.selection.head) == (1, 2)


def test_pinned_heads_stand_side_by_side(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    assert window.parts.compare.is_empty()
    actions = {action.text(): action for action in window.findChildren(QAction)}
    for head in (0, 2):
        window.parts.attention.head_chosen.emit(head)
        actions["Pin the head in view"].trigger()
    qtbot.waitUntil(lambda: {each.slot for each in bridge.of(ShowPicture)} >= {"pin:0", "pin:1"})
    answer(bridge)
    qtbot.waitUntil(lambda: window.parts.compare.sentence() == "probabilities of 1·0, 1·2")
    window.parts.compare.mode_chosen.emit("difference")
    qtbot.waitUntil(lambda: bridge.of(ShowPicture)[-1].minus is not None)
    answer(bridge)
    qtbot.waitUntil(lambda: "1·0 minus 1·2" in window.parts.compare.sentence())


def test_the_badge_says_what_bf16_costs(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    badge = window.parts.top.findChild(ProofBadge)
    bridge.received.emit(
        Verified(request=0, attention_max_abs=1e-7, absorbed_max_abs=1e-7, routing_equal=True, tokens=9, passed=True)
    )
    qtbot.waitUntil(lambda: "probabilities in bf16 differ from float32 by at most 2.0e-03" in badge.toolTip())


def test_a_closed_dock_comes_back_with_the_layout(window, qtbot):
    dock = window.parts.docks.docks()[1]
    dock.close()
    assert not dock.isVisible()
    window.parts.docks.reset()
    assert dock.isVisible()


def test_tab_goes_through_the_whole_window_and_comes_back(window, qtbot):
    window.activateWindow()
    window.parts.prompt.focus_prompt()
    reached = []
    while QApplication.focusWidget() not in reached:
        reached.append(QApplication.focusWidget())
        window.focusNextChild()
    assert reached[0] is QApplication.focusWidget()
    on_screen = window.parts.docks.on_screen()
    front = [view for view in window.parts.views.values() if view.title() in on_screen]
    for part in (window.parts.strip, window.parts.timeline, *(view.header for view in front)):
        assert any(part is widget or part.isAncestorOf(widget) for widget in reached)


def test_the_title_carries_the_models_name(window, qtbot):
    qtbot.waitUntil(lambda: window.windowTitle() == "tiny — Latent Loupe")


def test_a_notice_put_away_does_not_come_back_with_the_next(window, bridge, qtbot):
    window.session.say("first")
    qtbot.waitUntil(lambda: window.parts.notices.current() is not None)
    window.parts.notices.findChildren(QPushButton)[-1].click()
    bridge.died.emit("Engine stopped (signal 9)")
    qtbot.waitUntil(window.parts.notices.isVisible)
    told = window.parts.notices.current().text
    assert told.startswith("Engine stopped (signal 9). ")
    window.parts.notices.action_chosen.emit("restart")
    qtbot.waitUntil(lambda: window.parts.notices.current() is None)


def test_without_its_engine_a_run_keeps_its_map_but_shows_none_for_another_head(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    bridge.died.emit("Engine stopped (signal 9)")
    window.parts.top.head_chosen.emit(1)
    qtbot.waitUntil(window.parts.attention.is_empty)
    window.parts.top.head_chosen.emit(0)
    qtbot.waitUntil(lambda: "head 0" in window.parts.attention.sentence())
    window.session.start_engine()
    assert not window.parts.attention.is_empty()
    window.parts.top.head_chosen.emit(1)
    qtbot.waitUntil(window.parts.attention.is_empty)


def test_the_run_menu_runs_the_prompt_and_offers_the_samples(window, bridge):
    actions = {action.text(): action for action in window.findChildren(QAction)}
    actions["English"].trigger()
    assert window.parts.prompt.prompt() == "The king"
    actions["Run the prompt"].trigger()
    assert bridge.of(Generate)[0].prompt == "The king"


def test_a_cell_of_any_row_is_read_out_in_full(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    qtbot.waitUntil(lambda: not window.parts.attention.is_empty())
    window.parts.attention._tell_cell((1, 0))
    qtbot.waitUntil(lambda: [(each.query, each.key) for each in bridge.of(ShowCell)] == [(1, 0)])
    answer(bridge)
    qtbot.waitUntil(lambda: window.parts.status.hover().endswith("p 0.500  content +0.50  position −0.25  rank 1"))
    window.parts.attention._tell_cell(None)
    assert window.parts.status.hover() == ""


def test_expert_reads_of_the_last_step_and_the_run_stand_below_the_routing_map(window, bridge, qtbot):
    generate(window, bridge, qtbot)
    line = window.parts.routing.findChild(ReadsLine)
    told = "step: hits 3, misses 1, 683 B/token · run: hits 75 %, 683 B/token"
    qtbot.waitUntil(lambda: line.full_text() == told)
    bridge.received.emit(grown(6, 1, step=1, request=bridge.of(Generate)[0].request))
    told = "step: hits 3, misses 1, 4.1 kB/token · run: hits 75 %, 1.2 kB/token"
    qtbot.waitUntil(lambda: line.full_text() == told)
