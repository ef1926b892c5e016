"""How many threads a step of one token gets."""

from dataclasses import replace

import pytest

from app.commands.random_checkpoint import MID, TINY
from model.engine import threads


def test_larger_steps_get_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 6)
    assert threads.decode_threads(replace(TINY, layers=4, moe_layers=(1, 2, 3)), "float32") == 1
    assert threads.decode_threads(TINY, "float32") == 2
    assert threads.decode_threads(TINY, "bfloat16") == 1  # half the bytes
    assert threads.decode_threads(MID, "float32") == 6


def test_there_are_never_more_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 1)
    assert {threads.decode_threads(config, "float32") for config in (TINY, MID)} == {1}
