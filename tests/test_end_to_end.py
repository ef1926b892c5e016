"""The whole program once: a real engine process, the bundled model, a window, keys, pictures, and a killed engine."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from app.export import save_picture
from app.numbers import numbers
from app.waiting import wait_until
from app.window_app import RunningWindow, WindowOptions
from model.config import Sampling
from widgets.prompt.prompt_editor import PromptEditor

PROMPT = "The king said to the queen"


@pytest.fixture
def running(qapp: QApplication, qtbot, tmp_path: Path):
    running = RunningWindow(qapp, WindowOptions(), settings=tmp_path / "settings.json", theme="dark")
    qtbot.addWidget(running.window)
    running.window.show()
    state = running.session
    wait_until(lambda: state.state.model is not None and not state.state.proving, what="the bundled model")
    yield running
    running.end()


def type_prompt(running: RunningWindow, qtbot, tokens: int) -> None:
    prompt = running.window.parts.prompt
    prompt.show_sampling(Sampling(), max_new_tokens=tokens)
    editor = prompt.findChild(PromptEditor)
    qtbot.keyClicks(editor, PROMPT)
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_a_typed_prompt_fills_four_true_views_that_can_be_taken_away(running, qtbot, tmp_path):
    session, parts = running.session, running.window.parts
    assert session.state.model.proof.passed
    session.choose("exact", True)  # a processor that multiplies bfloat16 faster would draw the map in it
    type_prompt(running, qtbot, tokens=24)
    wait_until(lambda: session.state.run is not None and session.state.run.finished is not None, what="the run")
    run = session.state.run
    assert "".join(run.texts[1 : run.info.prompt_tokens]) == PROMPT
    assert run.tokens == run.info.prompt_tokens + run.generated - 1
    wait_until(
        lambda: (
            session.state.shown.attention is not None
            and session.state.shown.attention.queries == (0, run.tokens)
            and session.state.shown.row is not None
            and session.state.shown.row.query == run.tokens - 1
        ),
        what="the newest map",
    )
    taken = numbers("attention", session.state)
    rows = np.nansum(taken["map_probability"], axis=1)
    np.testing.assert_allclose(rows, 1.0, atol=1e-5)
    np.testing.assert_allclose(taken["row_probabilities"], taken["map_probability"][-1], atol=1e-6)
    config = run.info.config
    used = config.layers * (config.kv_lora_rank + config.qk_rope_head_dim) * 4 * run.tokens
    assert run.column("used_bytes")[-1] == used
    reserve = run.column("measured_bytes")[-1] - used
    assert 0 <= reserve <= max(64 * used / run.tokens, 0.25 * used)
    load = numbers("load", session.state)
    assert load["device_load"].sum() == run.tokens * config.router.experts_per_token * len(config.moe_layers)
    wait_until(
        lambda: not any(view.is_empty() for name, view in parts.views.items() if name != "compare"),
        what="all four views",
    )
    for name in ("attention", "routing", "load", "memory", "window"):
        path = tmp_path / f"{name}.png"
        save_picture(running.window.menus.widget(name), path, scale=2)
        assert colours(path) > 50


def colours(path: Path) -> int:
    """How many different colours a picture has: an empty panel has a handful."""
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)
    return len(np.unique(pixels[::3, ::3]))


def test_a_killed_engine_leaves_everything_shown_and_a_restart_runs_again(running, qtbot):
    session, parts = running.session, running.window.parts
    type_prompt(running, qtbot, tokens=1500)
    wait_until(lambda: session.state.run is not None and session.state.run.tokens > 30, what="some tokens")
    wait_until(lambda: session.state.shown.attention is not None, what="a map")
    os.kill(session.process_id(), signal.SIGKILL)
    wait_until(lambda: session.state.engine == "dead", what="the death to be noticed")
    kept = session.state.run
    assert kept.tokens > 30
    assert len(kept.column("ids")) == kept.tokens
    wait_until(lambda: parts.notices.isVisible(), what="the notice")
    assert not any(view.is_empty() for name, view in parts.views.items() if name != "compare")
    assert parts.prompt.prompt() == PROMPT
    parts.notices.action_chosen.emit("restart")
    wait_until(lambda: session.state.engine == "ready" and session.state.loading is None, what="the engine again")
    session.submit(PROMPT, max_new_tokens=4, sampling=Sampling())
    wait_until(lambda: len(session.state.runs) == 2 and session.state.runs[1].finished is not None, what="a new run")
    assert session.state.runs[0].tokens == kept.tokens
