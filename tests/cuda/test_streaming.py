"""Experts that do not fit on the device come from pinned host memory, counted, and change no token."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.paging import Slots
from model.checkpoint.plan import make_plan
from model.config import DtypeName
from model.messages import Event, Finished, Generate, Grown, OpenCheckpoint, Opened
from tests.model.engine.talk import answer, answers, talk

PROMPT = [5, 7, 9, 200, 31] * 8
CHOSEN, MOE_LAYERS, ROOM = 3, 2, 6  # of 16 experts
EXPERT = 3 * 64 * 24


def run(folder: Path, device: torch.device, dtype: DtypeName, *, budget: int = 0) -> list[Event]:
    name = str(device)
    opened = OpenCheckpoint(request=1, path=str(folder), dtype=dtype, device=name, budget_bytes=budget)
    events = talk(opened, Generate(request=2, token_ids=PROMPT, max_new_tokens=30))
    assert answer(events, Finished, 2).reason == "length"
    assert answer(events, Opened, 1).device == name
    return events


def steps(events: list[Event], name: str) -> list[int]:
    parts = [getattr(event.steps, name).numpy() for event in answers(events, Grown, 2)]
    return [int(value) for value in np.concatenate(parts)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_budget_changes_no_token_and_is_counted(folder: Path, device: torch.device, dtype: DtypeName) -> None:
    least = make_plan(read_checkpoint(folder), dtype=dtype, device=device, budget_bytes=1)
    budget = least.dense_bytes + least.working_bytes + ROOM * least.expert_bytes
    whole, paged = run(folder, device, dtype), run(folder, device, dtype, budget=budget)
    if dtype == "float32":  # in a narrow dtype sums by the graph round otherwise than those one by one
        assert steps(paged, "chosen_ids") == steps(whole, "chosen_ids")
    assert answer(whole, Opened, 1).summary.expert_cache_bytes == 0
    hits, misses, read = (steps(paged, name) for name in ("expert_hits", "expert_misses", "bytes_read"))
    assert [a + b for a, b in zip(hits[1:], misses[1:], strict=True)] == [CHOSEN * MOE_LAYERS] * 29
    assert sum(steps(whole, "expert_hits") + steps(whole, "expert_misses")) == 0
    if device.type == "cuda":  # a CPU reads float32 in the file's own pages, which are all there
        size = EXPERT * (4 if dtype == "float32" else 2)
        assert answer(paged, Opened, 1).summary.expert_cache_bytes == ROOM * size
        assert sum(misses) > 0
        assert read == [missed * size for missed in misses]


def test_host_slots_are_pinned() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    slots = Slots(1, width=6, hidden=4, dtype=torch.bfloat16, device=torch.device("cpu"), pinned=True)
    expert = slots.put(0, 0, lambda slot: None)
    assert all(linear.weight.is_pinned() for linear in expert)
