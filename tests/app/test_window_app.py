"""The window's start: which checkpoint it opens, and what it remembers."""

import json

import pytest

from app import window_app
from app.settings import read_settings
from app.window_app import RunningWindow, WindowOptions
from model.messages import Describe, Described, Generate, OpenCheckpoint, Ready
from tests.app.events import opened, summary
from tests.app.fake_bridge import FakeBridge


@pytest.fixture
def bridge(monkeypatch, qapp) -> FakeBridge:
    bridge = FakeBridge()
    monkeypatch.setattr(window_app, "EngineBridge", lambda _parent: bridge)
    return bridge


@pytest.fixture
def start(bridge, qapp, qtbot, tmp_path):
    def begin(**options) -> RunningWindow:
        running = RunningWindow(qapp, WindowOptions(**options), settings=tmp_path / "settings.json", theme="light")
        qtbot.addWidget(running.window)
        running.window.show()
        qtbot.waitUntil(lambda: bridge.starts == 1)
        bridge.received.emit(Ready())
        return running

    return begin


def test_the_bundled_model_opens_when_none_is_named(start, bridge):
    start()
    assert [command.path for command in bridge.of(OpenCheckpoint)] == [str(window_app.BUNDLED)]


def test_a_named_checkpoint_is_described_first_and_opens_by_itself_when_it_fits(start, bridge):
    start(checkpoint="/models/tiny", dtype="bfloat16")
    assert not bridge.of(OpenCheckpoint)
    bridge.received.emit(Described(request=bridge.of(Describe)[0].request, summary=summary()))
    assert [(command.path, command.dtype) for command in bridge.of(OpenCheckpoint)] == [("/models/tiny", "bfloat16")]


def test_a_named_checkpoint_that_fills_the_memory_waits_for_a_person(start, bridge, qtbot):
    running = start(checkpoint="/models/tiny")
    facts = summary()
    large = {name: getattr(facts, name) for name in facts.__struct_fields__} | {"weight_bytes": facts.free_bytes}
    bridge.received.emit(Described(request=bridge.of(Describe)[0].request, summary=type(facts)(**large)))
    qtbot.waitUntil(running.window.parts.sheet.isVisible)
    assert not bridge.of(OpenCheckpoint)


def test_a_prompt_from_the_command_line_runs_once_the_model_is_open(start, bridge):
    start(prompt="The king")
    for _ in range(2):
        bridge.received.emit(opened(bridge.of(OpenCheckpoint)[0].request))
    assert [command.prompt for command in bridge.of(Generate)] == ["The king"]


def test_opened_folders_theme_and_place_are_remembered(start, bridge, tmp_path):
    running = start()
    bridge.received.emit(opened(bridge.of(OpenCheckpoint)[0].request))
    running.set_theme("dark")
    running.window.resize(1000, 700)
    running.end()
    assert bridge.closed
    kept = read_settings(tmp_path / "settings.json")
    assert (kept.theme, kept.recent, kept.window[2:]) == ("dark", ("/models/tiny",), (1000, 700))
    assert json.loads((tmp_path / "settings.json").read_text())["format"] == 1
