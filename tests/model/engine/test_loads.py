"""Loads: the open model stays usable beside them, a stop is heard at once, and a budget is kept."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import loading as real
from model.checkpoint.plan import Plan, make_plan
from model.engine import opened
from model.messages import (
    Describe,
    Described,
    Event,
    Failed,
    Finished,
    Generate,
    Grown,
    Loading,
    OpenCheckpoint,
    Opened,
    Stop,
)
from model.network.decoder import Decoder
from model.problems import Problem
from model.recording.recording import Recording
from tests.model.engine.talk import Script, answer, answers, talk
from tests.parity.tiny import make_checkpoint

PROMPT = [5, 7, 9, 200, 31]
MOE_LAYERS, CHOSEN = 2, 3
Load = Generator[tuple[int, int], None, Decoder]


def generated(events: list[Event], request: int) -> list[int]:
    steps = [event.steps.chosen_ids.numpy() for event in answers(events, Grown, request)]
    return [int(token) for token in np.concatenate(steps) if token >= 0]


def counters(events: list[Event], request: int) -> dict[str, list[int]]:
    names = ("expert_hits", "expert_misses", "bytes_read")
    batches = answers(events, Grown, request)
    return {name: np.concatenate([getattr(one.steps, name).numpy() for one in batches]).tolist() for name in names}


def budget_for(path: str, slots: int) -> int:
    """What a run of a tiny float32 checkpoint in bfloat16 needs with so many experts at a time."""
    plan = make_plan(read_checkpoint(path), dtype="bfloat16", device=torch.device("cpu"), budget_bytes=1)
    return plan.dense_bytes + plan.working_bytes + slots * plan.expert_bytes


@pytest.fixture
def second_load(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The second load goes on until a test writes "finish" or "fail" here."""
    said: list[str] = []
    loads = 0

    def loading(checkpoint: Checkpoint, plan: Plan) -> Load:
        nonlocal loads
        loads += 1
        if loads == 2:
            while not said:
                yield 1, 2
            if said[0] == "fail":
                raise Problem("The disk went away.")
        return (yield from real(checkpoint, plan))

    monkeypatch.setattr(opened, "loading", loading)
    return said


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("other")
    make_checkpoint(folder, "v3", eos_token_id=None)
    return str(folder)


@pytest.mark.parametrize("end", ["finish", "fail", "stop"])
def test_a_run_on_the_open_model_goes_on_while_another_loads(
    tiny: str, other: str, second_load: list[str], end: str
) -> None:
    run = Generate(token_ids=PROMPT, max_new_tokens=6)

    def go_on(event: Event, script: Script) -> None:
        if isinstance(event, Loading) and event.request == 2 and not asked:
            asked.append(True)
            script.commands.append(Generate(request=3, token_ids=run.token_ids, max_new_tokens=6))
        if isinstance(event, Finished) and event.request == 3:
            if end == "stop":
                script.commands.append(Stop(request=4, target=2))
            else:
                second_load.append(end)
        if isinstance(event, Opened | Failed) and event.request == 2:
            script.commands.append(Generate(request=5, token_ids=run.token_ids, max_new_tokens=6))

    asked: list[bool] = []
    events = talk(OpenCheckpoint(request=1, path=tiny), OpenCheckpoint(request=2, path=other), react=go_on)
    first, second = generated(events, 3), generated(events, 5)
    assert answer(events, Finished, 3).reason == "length"
    if end == "finish":
        alone = talk(OpenCheckpoint(request=1, path=other), Generate(request=5, token_ids=PROMPT, max_new_tokens=6))
        assert second == generated(alone, 5) != first
    else:
        words = "The disk went away." if end == "fail" else "Stopped before it was done."
        assert answer(events, Failed, 2).message == words
        assert second == first


def test_a_run_that_began_goes_on_with_its_model_when_the_next_one_is_ready(tiny: str, other: str) -> None:
    def open_beside(event: Event, script: Script) -> None:
        if isinstance(event, Grown) and event.request == 2 and not asked:
            asked.append(True)
            script.commands.append(OpenCheckpoint(request=3, path=other))

    asked: list[bool] = []
    run = Generate(request=2, token_ids=PROMPT, max_new_tokens=200)
    events = talk(OpenCheckpoint(request=1, path=tiny), run, react=open_beside)
    kinds = [type(event) for event in events]
    assert kinds.index(Opened, kinds.index(Grown)) < kinds.index(Finished)
    assert generated(events, 2) == generated(talk(OpenCheckpoint(request=1, path=tiny), run), 2)


def test_steps_tell_what_was_brought_in_and_the_recording_keeps_it(tiny: str, tmp_path: Path) -> None:
    budget = budget_for(tiny, CHOSEN + 1)
    run = Generate(request=2, token_ids=PROMPT, max_new_tokens=9, folder=str(tmp_path / "run"))
    events = talk(OpenCheckpoint(request=1, path=tiny, dtype="bfloat16", budget_bytes=budget), run)
    told = counters(events, 2)
    asked = [hits + misses for hits, misses in zip(told["expert_hits"], told["expert_misses"], strict=True)]
    assert asked[1:] == [MOE_LAYERS * CHOSEN] * 8
    expert_bytes = 3 * 64 * 24 * 4  # as they are stored
    assert told["bytes_read"] == [misses * expert_bytes for misses in told["expert_misses"]]
    assert sum(told["expert_misses"]) > 0
    recording = Recording.open(tmp_path / "run")
    for name, values in told.items():
        assert recording.light(name).tolist() == values


def test_a_budget_changes_no_token_and_is_kept(tiny: str) -> None:
    run = Generate(request=2, token_ids=PROMPT * 8, max_new_tokens=20)
    small = budget_for(tiny, CHOSEN + 1)
    paged = talk(OpenCheckpoint(request=1, path=tiny, dtype="bfloat16", budget_bytes=small), run)
    whole = talk(OpenCheckpoint(request=1, path=tiny, dtype="bfloat16"), run)
    assert generated(paged, 2) == generated(whole, 2)
    assert counters(whole, 2) == dict.fromkeys(counters(whole, 2), [0] * 20)
    told = answer(paged, Opened, 1)
    expert = 3 * 64 * 24 * 2
    assert told.budget_bytes == small
    assert told.summary.largest_expert_bytes == expert
    assert told.summary.expert_cache_bytes == (CHOSEN + 1) * expert
    assert told.summary.fits
    assert answer(whole, Opened, 1).summary.expert_cache_bytes == 0


def test_a_budget_without_room_for_one_token_is_refused_and_the_open_model_stays(tiny: str) -> None:
    small = budget_for(tiny, CHOSEN)
    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Describe(request=2, path=tiny, dtype="bfloat16", budget_bytes=small),
        OpenCheckpoint(request=3, path=tiny, dtype="bfloat16", budget_bytes=small),
        Generate(request=4, token_ids=PROMPT, max_new_tokens=1),
    )
    assert not answer(events, Described, 2).summary.fits
    message = answer(events, Failed, 3).message
    assert "raise the budget" in message
    assert f"{small / 1e6:.2f} MB" in message
    assert answer(events, Finished, 4).reason == "length"


def test_what_loads_on_a_thread_may_fail_like_anything_else() -> None:
    def refuse() -> Any:
        raise Problem("No.")

    with pytest.raises(Problem, match="No"):
        list(opened.aside(refuse))


@pytest.mark.parametrize(
    ("formats", "device", "fast", "dtype"),
    [
        ({"float16": 9, "float32": 1}, "cpu", True, "float16"),
        ({"bfloat16": 9, "float32": 1}, "cpu", False, "bfloat16"),
        ({"fp8 e4m3": 9, "bfloat16": 1}, "cpu", True, "bfloat16"),
        ({"fp8 e4m3": 9, "bfloat16": 1}, "cpu", False, "float32"),
        ({"Q4_K": 9, "F32": 1}, "cuda", False, "bfloat16"),
    ],
)
def test_a_large_checkpoint_runs_in_what_it_is_stored_in_or_in_what_is_fast(
    tiny: str, monkeypatch: pytest.MonkeyPatch, formats: dict[str, int], device: str, fast: bool, dtype: str
) -> None:
    monkeypatch.setattr(opened, "FLOAT32_BYTES", 0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast})
    checkpoint = replace(read_checkpoint(tiny), formats=formats)
    assert opened.choose_dtype("auto", checkpoint, torch.device(device)) == dtype
