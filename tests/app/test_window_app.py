"""The window's start: which checkpoint it opens, and what it remembers."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

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


def test_notes_of_the_bundled_model_are_not_pushed_at_a_person(start, bridge):
    running = start()
    noted = structs.replace(summary(), notes=["a choice"], path=str(window_app.BUNDLED))
    bridge.received.emit(structs.replace(opened(bridge.of(OpenCheckpoint)[0].request), summary=noted))
    assert not running.session.state.notices


def test_a_named_checkpoint_is_described_first_and_opens_by_itself_when_it_fits(start, bridge):
    start(checkpoint="/models/tiny", dtype="bfloat16")
    assert not bridge.of(OpenCheckpoint)
    bridge.received.emit(Described(request=bridge.of(Describe)[0].request, summary=summary()))
    assert [(command.path, command.dtype) for command in bridge.of(OpenCheckpoint)] == [("/models/tiny", "bfloat16")]


def test_a_named_checkpoint_that_fills_the_memory_waits_for_a_person(start, bridge, qtbot):
    running = start(checkpoint="/models/tiny")
    facts = summary()
    large = {name: getattr(facts, name) for name in facts.__struct_fields__} | {"resident_bytes": facts.free_bytes}
    bridge.received.emit(Described(request=bridge.of(Describe)[0].request, summary=type(facts)(**large)))
    qtbot.waitUntil(running.window.parts.sheet.isVisible)
    assert not bridge.of(OpenCheckpoint)


def test_a_named_checkpoint_larger_than_memory_opens_when_what_stays_fits(start, bridge):
    start(checkpoint="/models/tiny", budget_bytes=700)
    asked = bridge.of(Describe)[0]
    assert asked.budget_bytes == 700
    large = structs.replace(summary(), weight_bytes=10**13, file_bytes=10**13, resident_bytes=600)
    bridge.received.emit(Described(request=asked.request, summary=large))
    assert [command.budget_bytes for command in bridge.of(OpenCheckpoint)] == [700]


def test_a_named_checkpoint_beyond_the_budget_waits_for_a_person(start, bridge, qtbot):
    running = start(checkpoint="/models/tiny", budget_bytes=500)
    over = structs.replace(summary(), resident_bytes=600, fits=False)
    bridge.received.emit(Described(request=bridge.of(Describe)[0].request, summary=over))
    qtbot.waitUntil(running.window.parts.sheet.isVisible)
    assert not bridge.of(OpenCheckpoint)


def test_the_prompt_style_is_remembered_for_each_kind_of_checkpoint(start, bridge, tmp_path):
    running = start()
    chatty = structs.replace(summary(), has_chat_template=True)
    first = structs.replace(opened(bridge.of(OpenCheckpoint)[0].request), summary=chatty)
    bridge.received.emit(first)
    prompt = running.window.parts.prompt
    prompt.show_chat_template(True)
    prompt.style_chosen.emit("chat")
    other = structs.replace(chatty, config=replace(chatty.config, model_type="kimi_k2"))
    bridge.received.emit(structs.replace(first, summary=other))
    assert prompt.request().chat is False
    bridge.received.emit(first)
    assert prompt.request().chat is True
    running.end()
    assert read_settings(tmp_path / "settings.json").chat_kinds == ("deepseek_v2",)


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
