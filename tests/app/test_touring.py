"""Taking the tour: prompts are typed and run, selections made once, and a person is never fought."""

import pytest
from msgspec import structs
from PySide6.QtWidgets import QPushButton

from app.bundled import BUNDLED
from app.session import Session
from app.theme import apply_theme
from app.tour_words import sentence
from app.window import MainWindow
from model.messages import Generate, OpenCheckpoint, Ready, Stop
from model.tour import Stop as TourStop
from model.tour import Tour
from tests.app.events import finished, grown, opened, started
from tests.app.fake_bridge import FakeBridge
from widgets.palette import palette
from widgets.selection import Selection

HEAD = TourStop(
    kind="previous", prompt="The king", new_tokens=5, layer=2, head=3, token=1, figures={"share": 0.534, "general": 0.3}
)
EXPERT = TourStop(
    kind="expert",
    prompt="Le roi",
    new_tokens=0,
    layer=1,
    expert=2,
    token=2,
    figures={"share": 0.8, "overall": 0.25, "tokens": 1000},
    words={"subject": "French"},
)
TOUR = Tour(checkpoint="loupe-mini", weights="", stops=[HEAD, EXPERT])


@pytest.fixture
def bridge(qapp) -> FakeBridge:
    apply_theme(qapp, palette("dark"))
    return FakeBridge()


@pytest.fixture
def window(bridge, qtbot) -> MainWindow:
    window = MainWindow(Session(bridge), samples=[], tour=TOUR)
    window.parts.show_palette(palette("dark"))
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.session.start_engine()
    bridge.received.emit(Ready())
    return window


def open_bundled(window: MainWindow, bridge: FakeBridge, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(bridge.of(OpenCheckpoint)))
    event = opened(bridge.of(OpenCheckpoint)[-1].request)
    bridge.received.emit(structs.replace(event, summary=structs.replace(event.summary, path=str(BUNDLED))))


def answer_run(bridge: FakeBridge, qtbot, number: int) -> int:
    qtbot.waitUntil(lambda: len(bridge.of(Generate)) == number)
    request = bridge.of(Generate)[-1].request
    bridge.received.emit(started(request, run=f"run-{number}"))
    event = grown(0, 6, step=0, request=request)
    bridge.received.emit(structs.replace(event, run=f"run-{number}"))
    return request


def test_a_stop_types_runs_selects_and_says_what_is_seen(window, bridge, qtbot):
    open_bundled_first = window.touring
    open_bundled_first.toggle()
    open_bundled(window, bridge, qtbot)
    answer_run(bridge, qtbot, 1)
    qtbot.waitUntil(lambda: window.touring.arrived)
    command = bridge.of(Generate)[0]
    assert (command.prompt, command.max_new_tokens, command.sampling.temperature) == ("The king", 5, 0.0)
    assert window.parts.prompt.prompt() == "The king"
    assert window.session.state.selection == Selection(token=1, layer=2, head=3)
    assert not window.session.state.following
    assert "Layer 2, head 3" in window.parts.tour.sentence()
    assert "0.53 of its weight" in window.parts.tour.sentence()
    assert window.parts.attention.property("marked")
    assert not window.parts.routing.property("marked")


def test_the_next_stop_ends_a_run_that_goes_on_and_the_last_one_can_be_left(window, bridge, qtbot):
    window.touring.toggle()
    open_bundled(window, bridge, qtbot)
    request = answer_run(bridge, qtbot, 1)
    qtbot.waitUntil(lambda: window.touring.arrived)
    window.touring.next()
    assert [stop.target for stop in bridge.of(Stop)] == [request]
    assert len(bridge.of(Generate)) == 1
    bridge.received.emit(finished(request=request))
    answer_run(bridge, qtbot, 2)
    qtbot.waitUntil(lambda: window.touring.arrived)
    assert window.session.state.selection == Selection(token=2, layer=1, head=3, expert=2)
    assert window.session.state.choices.measure == "expert"
    assert "expert 2 is chosen for 80 % of these French tokens, but for 25 %" in window.parts.tour.sentence()
    assert window.parts.routing.property("marked")
    window.touring.next()  # there is none
    assert window.touring.at == 1
    window.touring.leave()
    assert window.parts.tour.isHidden()
    assert not window.parts.routing.property("marked")
    assert window.session.state.selection.expert == 2  # what is shown stays


def test_what_a_person_selects_afterwards_is_left_alone(window, bridge, qtbot):
    window.touring.toggle()
    open_bundled(window, bridge, qtbot)
    request = answer_run(bridge, qtbot, 1)
    qtbot.waitUntil(lambda: window.touring.arrived)
    window.session.choose_layer(0)
    bridge.received.emit(structs.replace(grown(6, 2, step=1, request=request), run="run-1"))
    bridge.received.emit(finished(request=request))
    qtbot.waitUntil(lambda: window.session.state.run.finished is not None)
    assert window.session.state.selection.layer == 0


def test_another_open_model_makes_way_for_the_bundled_one(window, bridge, qtbot):
    window.session.open_checkpoint("/models/tiny")
    bridge.received.emit(opened(bridge.of(OpenCheckpoint)[0].request))
    window.touring.toggle()
    assert [command.path for command in bridge.of(OpenCheckpoint)] == ["/models/tiny", str(BUNDLED)]
    assert not bridge.of(Generate)
    open_bundled(window, bridge, qtbot)
    qtbot.waitUntil(lambda: len(bridge.of(Generate)) == 1)


def test_the_empty_window_offers_the_tour_until_something_runs(window, bridge, qtbot):
    offer = next(each for each in window.parts.attention.findChildren(QPushButton) if each.text() == "Take the tour")
    assert offer.isVisible()
    offer.click()
    assert window.touring.at == 0
    open_bundled(window, bridge, qtbot)
    answer_run(bridge, qtbot, 1)
    qtbot.waitUntil(lambda: not offer.isVisible())


def test_without_a_tour_nothing_is_offered(bridge, qtbot):
    window = MainWindow(Session(bridge), samples=[])
    qtbot.addWidget(window)
    window.show()
    window.touring.toggle()
    assert window.touring.at is None
    assert window.parts.tour.isHidden()


@pytest.mark.parametrize(
    ("kind", "figures", "words", "said"),
    [
        ("recall", {"share": 0.7, "probability": 0.93}, {"key": "lamp", "answer": "35"}, "says 35 for lamp with pro"),
        ("recall", {"share": 0.7, "probability": 0.13}, {"key": "lamp", "answer": "35"}, "for lamp, 35, only 0.13"),
        ("induction", {"share": 0.62, "first": 9.04, "second": 0.31}, {}, "costs 0.3 bits instead of 9.0"),
        ("brackets", {"share": 0.46, "even": 0.08}, {}, "alike would give it 0.08"),
        ("devices", {"violation": 0.2, "general": 0.03, "largest": 0.35, "devices": 4}, {}, "held-out texts 3 %;"),
        ("memory", {"latent": 1920, "full": 15360}, {}, "would take 15,360 B, 8 times as much"),
        ("sink", {"share": 0.86}, {"also": "recall"}, "The head that looks values up, layer 1, head 0, rests"),
        ("sink", {"share": 0.53}, {}, "0.53 of its weight stays on the first token"),
    ],
)  # fmt: skip
def test_every_sentence_carries_its_figures(qapp, kind, figures, words, said):
    stop = TourStop(kind=kind, prompt="x", layer=1, head=0, figures=figures, words=words)
    assert said in sentence(stop)
