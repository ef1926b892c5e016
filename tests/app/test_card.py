"""What the card says of the open model, and how it opens and closes."""

import pytest
from PySide6.QtCore import Qt

from app.bundled import BUNDLED
from app.card import card_facts
from app.session import Session
from app.state import State, apply
from app.window import MainWindow
from model.messages import About, OpenCheckpoint, ReadAbout, Ready
from tests.app.events import opened
from tests.app.fake_bridge import FakeBridge
from widgets.model_chip import ModelChip

REPORT = {
    "training.tokens": 300e6,
    "held_out.en.bits_per_byte": 1.5,
    "held_out.zh.bits_per_byte": 2.25,
    "held_out.en.tokens": 6144.0,
}


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    bridge = FakeBridge()
    window = MainWindow(Session(bridge), samples=[])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.session.start_engine()
    bridge.received.emit(Ready())
    window.session.open_checkpoint("/models/tiny")
    bridge.received.emit(opened(bridge.of(OpenCheckpoint)[0].request))
    asked = bridge.of(ReadAbout)[0]
    bridge.received.emit(About(request=asked.request, path=asked.path, card="# Tiny\n\nA card.", report=REPORT))
    qtbot.waitUntil(lambda: "tiny" in window.windowTitle())
    return window


def test_headers_and_the_report_become_rows():
    assert card_facts(State()) is None
    state = apply(State(), opened())
    known = dict(card_facts(state).rows)
    assert known["size"] == "1,000 parameters, 600 of them used per token; 4 kB of files"
    assert known["experts"] == "4 routed, 2 of them per token, 1 shared, in 2 layers"
    assert "trained on" not in known
    state = apply(state, About(path="/models/tiny", report=REPORT, licence="MIT", notes=["Odd."]))
    facts = card_facts(state)
    told = dict(facts.rows)
    assert told["trained on"] == "300 M tokens"
    assert told["held-out text"] == "1.50 (en) to 2.25 (zh) bits per byte, by its own report"
    assert (facts.licence, facts.notes, facts.path) == ("MIT", ("Odd.",), "/models/tiny")
    assert str(BUNDLED) not in facts.path


def test_the_chip_opens_the_card_and_escape_closes_it(window, qtbot):
    card = window.parts.card
    assert card.isHidden()
    qtbot.mouseClick(window.findChild(ModelChip), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(card.isVisible)
    assert "A card." in card.texts()
    assert window.rect().contains(card.geometry())
    window.session.back_out()
    qtbot.waitUntil(card.isHidden)
    qtbot.keyClick(window.findChild(ModelChip), Qt.Key.Key_Return)
    qtbot.waitUntil(card.isVisible)
    card.closed.emit()
    qtbot.waitUntil(card.isHidden)


def test_no_card_opens_without_a_model(qapp):
    session = Session(FakeBridge())
    session.show_card(True)
    assert not session.state.card
