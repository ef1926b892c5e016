"""The plan: what stays, what is paged, and that nothing it takes exceeds the budget."""

from pathlib import Path

import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.plan import RUN_TOKENS, Plan, make_plan, working_bytes
from model.config import DtypeName
from tests.model.checkpoint.sample import write_sample
from tests.model.checkpoint.true_shapes import write_true_shapes

CPU = torch.device("cpu")
# The sample: hidden 16, experts of width 8, of which one layer has 4 and a token takes 2.
EXPERT_BYTES = {"float32": 3 * 8 * 16 * 4, "bfloat16": 3 * 8 * 16 * 2}


@pytest.fixture
def sample(tmp_path: Path) -> Checkpoint:
    return read_checkpoint(write_sample(tmp_path))


def plan(checkpoint: Checkpoint, dtype: DtypeName, budget: int) -> Plan:
    return make_plan(checkpoint, dtype=dtype, device=CPU, budget_bytes=budget)


def test_what_fits_stays_as_a_whole(sample: Checkpoint) -> None:
    mapped, converted = plan(sample, "float32", 2**30), plan(sample, "bfloat16", 2**30)
    assert not mapped.paged
    assert mapped.resident_bytes == mapped.expert_cache_bytes == 0  # all of it in the file's pages, routers too
    assert not converted.paged
    elements = sum(stored.stored_bytes // 4 for stored in sample.tensors.values())
    router = 4 * 16
    assert converted.resident_bytes == 2 * (elements - router)  # the router stays float32, as it is stored
    assert mapped.fits
    assert converted.fits


def test_mapped_weights_need_no_budget_however_large_they_are(sample: Checkpoint) -> None:
    least = plan(sample, "float32", 1).working_bytes
    paged = plan(sample, "float32", least)
    assert paged.paged
    assert paged.fits
    assert (paged.resident_bytes, paged.slots, paged.mapped_layers) == (0, 0, frozenset({1}))


@pytest.mark.parametrize("experts", [3, 4])
def test_converted_experts_get_what_the_budget_leaves(sample: Checkpoint, experts: int) -> None:
    smallest = plan(sample, "bfloat16", 1)
    dense = smallest.dense_bytes + smallest.working_bytes
    part = plan(sample, "bfloat16", dense + experts * EXPERT_BYTES["bfloat16"])
    assert part.fits
    assert part.expert_bytes == EXPERT_BYTES["bfloat16"]
    assert part.slots == experts
    assert part.resident_bytes + part.working_bytes <= part.budget_bytes


def test_a_budget_without_room_for_one_tokens_experts_does_not_fit(sample: Checkpoint) -> None:
    smallest = plan(sample, "bfloat16", 1)
    assert smallest.fewest_slots == 3  # what a token chooses, and the one that is in use
    assert not smallest.fits
    assert plan(sample, "bfloat16", smallest.least_bytes).fits
    assert not plan(sample, "bfloat16", smallest.least_bytes - 1).fits


def test_the_default_is_half_of_what_is_free(sample: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.checkpoint.plan.free_bytes", lambda: 10**9)
    assert plan(sample, "float32", 0).budget_bytes == 5 * 10**8
    assert plan(sample, "float32", 7 * 10**8).budget_bytes == 7 * 10**8
    assert plan(sample, "float32", 10**12).budget_bytes == 10**9  # nobody can allow more than there is


def test_a_run_is_its_cache_its_recording_and_its_logits(sample: Checkpoint) -> None:
    tokens = 128  # the sample's whole context; at most RUN_TOKENS
    assert tokens < RUN_TOKENS
    cache = 2 * (8 + 4) * 4 * tokens * 5 // 4
    light = 4 + 4 + 2 * (2 + 4) + 4  # ids, log-probability, one MoE layer's two experts and weights, its margin
    heavy = 4 * (2 * (8 + 4 + 12) + 4)  # two layers' latents and query sources, one layer's scores
    step = 8 + 1 + 8 + 8 + 4 + 3 * 8 + 4 + 4 + 5 * (4 + 4)
    assert working_bytes(sample.config, "float32") == cache + 256 * (light + heavy + step) + 12 * 64 * tokens


@pytest.mark.parametrize(
    ("name", "dtype", "paged", "fits"),
    [
        ("DeepSeek-V2-Lite", "bfloat16", "mapped", True),  # 31.4 GB in the file's pages
        ("DeepSeek-V2-Lite", "float32", "cached", True),  # converted: 5.3 GB outside of the experts
        ("DeepSeek-V3", "bfloat16", "cached", False),  # FP8: 34 GB outside of the experts have to be expanded
    ],
)
def test_published_models_on_a_machine_of_24_gib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dtype: DtypeName, paged: str, fits: bool
) -> None:
    monkeypatch.setattr("model.checkpoint.plan.free_bytes", lambda: 23 * 2**30)
    write_true_shapes(tmp_path, name)
    found = plan(read_checkpoint(tmp_path), dtype, 0)
    assert found.paged
    assert found.fits == fits
    assert (paged == "mapped") == (len(found.mapped_layers) == 26) == (found.slots == 0)
    if paged == "mapped":
        assert found.resident_bytes == 26 * 64 * 2048 * 4  # the routers, in float32
    elif fits:
        room = found.budget_bytes - found.dense_bytes - found.working_bytes
        assert 0 <= room - found.expert_cache_bytes < found.expert_bytes
