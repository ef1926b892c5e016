"""How many threads a step of one token gets."""

from dataclasses import replace

import pytest

from app.commands.random_checkpoint import LONG, MID, TINY
from model.engine import threads


def test_larger_steps_get_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 6)
    assert threads.decode_threads(replace(TINY, layers=4, moe_layers=(1, 2, 3)), "float32") == 1
    assert threads.decode_threads(TINY, "float32") == 2
    assert threads.decode_threads(TINY, "bfloat16") == 1  # half the bytes
    assert threads.decode_threads(MID, "float32") == 6


def test_latents_count_as_weights_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 6)
    counts = [threads.decode_threads(LONG, "float32", context=context) for context in (0, 1_000, 20_000, 100_000)]
    assert counts == [1, 1, 2, 6]


def test_there_are_never_more_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 1)
    assert {threads.decode_threads(config, "float32") for config in (TINY, MID)} == {1}
