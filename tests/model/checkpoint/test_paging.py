"""Paging: what is at hand, what goes first, what is counted, and that nothing changes the numbers."""

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import residency
from model.checkpoint.paging import (
    Counts,
    MappedExperts,
    Slots,
    StoredExpert,
    Traffic,
    expanded,
    streamed,
)
from model.config import RouterConfig
from model.network.moe import Routing, mix, route
from model.network.weights import FeedForward, Linear, MoeWeights
from tests.model.checkpoint.stored_floats import FakeStored

WIDTH, HIDDEN, EXPERTS = 6, 10, 8
EXPERT_BYTES = 3 * WIDTH * HIDDEN * 4
CPU = torch.device("cpu")


def stored_experts(layer: int = 0, count: int = EXPERTS) -> list[StoredExpert]:
    generator = torch.Generator().manual_seed(layer)
    shapes = ((WIDTH, HIDDEN), (WIDTH, HIDDEN), (HIDDEN, WIDTH))
    return [
        StoredExpert(*(FakeStored(torch.randn(shape, generator=generator).bfloat16()) for shape in shapes))
        for _ in range(count)
    ]


def slots(count: int) -> Slots:
    return Slots(count, width=WIDTH, hidden=HIDDEN, dtype=torch.float32, device=CPU)


def resident(experts: list[StoredExpert]) -> tuple[FeedForward, ...]:
    return tuple(FeedForward(*(Linear(one.values(torch.float32)) for one in expert)) for expert in experts)


def same(one: FeedForward, other: FeedForward) -> bool:
    return all(torch.equal(a.weight, b.weight) for a, b in zip(one, other, strict=True))


def test_every_layer_gets_its_own_experts_whatever_the_order() -> None:
    room, traffic = slots(5), Traffic()
    stored = [stored_experts(layer) for layer in range(3)]
    layers = [expanded(layer, experts, room, traffic) for layer, experts in enumerate(stored)]
    expected = [resident(experts) for experts in stored]
    for number in np.random.default_rng(0).integers(0, 3 * EXPERTS, 300).tolist():
        layer, expert = divmod(number, EXPERTS)
        assert same(layers[layer][expert], expected[layer][expert])
    assert room.held_bytes == 5 * EXPERT_BYTES


def test_the_least_recently_used_expert_goes_first() -> None:
    stored, traffic = stored_experts(), Traffic()
    experts = expanded(0, stored, slots(3), traffic)
    for expert in (0, 1, 2, 0, 3, 0, 2, 1):  # 3 takes the place of 1, then 1 that of 3
        experts[expert]
    assert traffic.take() == Counts(hits=3, misses=5, bytes_read=5 * 3 * WIDTH * HIDDEN)
    assert [len(one.gate.fills) for one in stored[:4] if isinstance(one.gate, FakeStored)] == [1, 2, 1, 1]


def test_an_expert_stays_valid_while_as_many_others_are_asked_for_as_a_token_chooses() -> None:
    stored = stored_experts()
    experts, expected = expanded(0, stored, slots(4), Traffic()), resident(stored)
    held = experts[0]
    for other in (1, 2, 3):
        experts[other]
    assert same(held, expected[0])
    experts[4]
    assert same(held, expected[4])  # the same memory, used again


def test_memory_is_taken_when_it_is_needed_and_never_more_than_allowed() -> None:
    room = slots(4)
    experts = expanded(0, stored_experts(), room, Traffic())
    held = []
    for expert in range(EXPERTS):
        experts[expert]
        held.append(room.held_bytes // EXPERT_BYTES)
    assert held == [1, 2, 3, 4, 4, 4, 4, 4]


def test_a_failure_to_read_loses_no_room_and_leaves_no_half_expert() -> None:
    stored = stored_experts()
    room = slots(2)
    experts, expected = expanded(0, stored, room, Traffic()), resident(stored)
    broken = stored[1].down
    assert isinstance(broken, FakeStored)
    broken.broken = True
    for _ in range(3):
        with pytest.raises(OSError, match="disk"):
            experts[1]
    broken.broken = False
    assert all(same(experts[expert], expected[expert]) for expert in (0, 1, 0, 1))
    assert room.held_bytes == 2 * EXPERT_BYTES


def test_counts_begin_again_once_they_are_taken() -> None:
    traffic = Traffic()
    experts = expanded(0, stored_experts(), slots(3), traffic)
    experts[0]
    traffic.take()
    experts[0]
    assert traffic.take() == Counts(hits=1, misses=0, bytes_read=0)
    assert traffic.take() == Counts(0, 0, 0)


def test_slots_made_while_inferring_can_be_filled_again_outside() -> None:
    experts = expanded(0, stored_experts(), slots(1), Traffic())
    with torch.inference_mode():
        experts[0]
    experts[1]


def test_a_device_gets_its_experts_through_a_bounded_host_cache() -> None:
    stored, moved, read = stored_experts(), Traffic(), Traffic()
    host, device = slots(3), slots(5)
    experts = streamed(0, expanded(0, stored, host, read), device, moved)
    expected = resident(stored)
    for expert in (0, 1, 2, 3, 4, 0, 5, 1):
        assert same(experts[expert], expected[expert])
    assert moved.take() == Counts(hits=1, misses=7, bytes_read=7 * EXPERT_BYTES)
    assert (host.held_bytes, device.held_bytes) == (3 * EXPERT_BYTES, 5 * EXPERT_BYTES)


@pytest.mark.parametrize("tokens", [1, 40])
def test_a_mixture_through_few_slots_is_the_resident_one_bit_for_bit(tokens: int) -> None:
    stored = stored_experts()
    room = slots(4)
    gate = torch.randn(EXPERTS, HIDDEN)
    x_TD = torch.randn(tokens, HIDDEN)
    router = RouterConfig("greedy", "softmax", EXPERTS, 3, 1, 1, False, 1.0)
    answers = []
    for experts in (resident(stored), expanded(0, stored, room, Traffic())):
        weights = MoeWeights(gate_ED=gate, bias_E=None, experts=experts, shared=None)
        routing: Routing = route(x_TD, weights, router)
        answers.append(mix(x_TD, routing, weights))
    assert torch.equal(*answers)
    assert room.held_bytes <= 4 * EXPERT_BYTES


# ---- the files' own pages --------------------------------------------------------------------------

PAGES = 64


@pytest.fixture
def mapped(tmp_path: Path) -> torch.Tensor:
    """A file of 64 pages."""
    path = tmp_path / "pages"
    path.write_bytes(os.urandom(PAGES * mmap.PAGESIZE))
    with path.open("r+b") as file:
        return torch.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), dtype=torch.uint8)


def page_experts(*parts: torch.Tensor) -> tuple[MappedExperts, Traffic]:
    """One expert whose matrices are these bytes."""
    traffic = Traffic()
    stored = (FakeStored(part.view(torch.float32).view(-1, 8), mapped_dtype=torch.float32) for part in parts)
    return MappedExperts([StoredExpert(*stored)], torch.float32, traffic), traffic


def test_pages_that_are_in_memory_are_a_hit(mapped: torch.Tensor) -> None:
    experts, traffic = page_experts(*mapped.split(mapped.numel() // 4)[:3])
    mapped.sum()  # touches every page
    experts[0]
    assert traffic.take() == Counts(hits=1, misses=0, bytes_read=0)


def test_missing_pages_are_counted_and_asked_for(mapped: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is played: it has every page but three that lie in the second and third matrix."""
    missing = {mapped.data_ptr() + page * mmap.PAGESIZE for page in (20, 21, 40, 63)}
    asked: list[tuple[int, int]] = []

    def mincore(start: int, length: int, answer: int) -> int:
        pages = range(start, start + length, mmap.PAGESIZE)
        ctypes.memmove(answer, bytes(page not in missing for page in pages), len(pages))
        return 0

    def madvise(start: int, length: int, _advice: int) -> int:
        asked.append((start, length))
        return 0

    monkeypatch.setattr(residency, "_CALLS", (mincore, madvise))
    size = 16 * mmap.PAGESIZE
    first, second, third = mapped[:size], mapped[size : 2 * size], mapped[2 * size + 64 : 3 * size - 64]
    experts, traffic = page_experts(first, second, third)
    experts[0]
    assert traffic.take() == Counts(hits=0, misses=1, bytes_read=3 * mmap.PAGESIZE)
    assert asked == [(second.data_ptr(), size), (mapped.data_ptr() + 2 * size, size - 64)]
    missing.clear()
    experts[0]
    assert traffic.take() == Counts(hits=1, misses=0, bytes_read=0)


def test_mapped_experts_are_the_files_pages_and_nothing_is_copied(mapped: torch.Tensor) -> None:
    part = mapped.view(torch.float32).view(-1, 8)
    stored = FakeStored(part, mapped_dtype=torch.float32)
    experts = MappedExperts([StoredExpert(stored, stored, stored)], torch.float32, Traffic())
    assert experts[0].down.weight.data_ptr() == part.data_ptr()
    assert experts[0] is experts[0]


def test_without_mincore_everything_counts_as_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residency, "_CALLS", None)
    traffic = Traffic()
    stored = FakeStored(torch.zeros(8, 8), mapped_dtype=torch.float32)
    MappedExperts([StoredExpert(stored, stored, stored)], torch.float32, traffic)[0]
    assert traffic.take() == Counts(hits=1, misses=0, bytes_read=0)
