"""Who waits for a long run at a terminal is told how far it is; a file or a pipe gets nothing."""

import sys

import pytest

from app.commands import progress
from app.commands.progress import told
from tests.app.events import finished, grown, started

EVENTS = [started(prompt_tokens=8), grown(0, 6, step=0), grown(6, 2, step=1), grown(8, 1, step=2), finished()]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_hears_of_prompt_and_tokens(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "TOLD_SECONDS", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert list(told(EVENTS)) == EVENTS
    lines = ["read: 6 of 8 tokens of the prompt", "generated: 1 of 5 tokens", "generated: 2 of 5 tokens"]
    assert capsys.readouterr().err.splitlines() == (lines if terminal else [])
