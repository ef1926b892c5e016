"""Loading: which dtype, when nothing is copied, progress that can be dropped."""

import gc
import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import DtypeChoice, experts_side_by_side, load, loading
from model.checkpoint.paging import traffic_of
from model.checkpoint.plan import Plan, expert_names, make_plan
from model.config import DtypeName
from model.network.decoder import Decoder
from model.network.side_by_side import joined
from model.network.weights import MoeWeights
from model.problems import Problem
from model.tensorfile import write_tensors
from tests.model.checkpoint.formats.quantise import fp8
from tests.model.checkpoint.sample import tensors_of, write_config, write_sample
from tests.model.checkpoint.stored_floats import FakeStored

CPU = torch.device("cpu")


def in_bfloat16(folder: Path) -> Checkpoint:
    """The sample stored in bfloat16."""
    bits = {name: torch.from_numpy(x).bfloat16().view(torch.uint16).numpy() for name, (_, x) in tensors_of().items()}
    write_tensors(
        write_config(folder, torch_dtype="bfloat16") / "model.safetensors", {k: ("BF16", v) for k, v in bits.items()}
    )
    return read_checkpoint(folder)


def in_fp8(folder: Path) -> Checkpoint:
    """The sample with every matrix of a layer in FP8, but the router, in blocks of 8 × 8."""
    stored: dict[str, tuple[str, np.ndarray]] = {}
    for name, (dtype, values) in tensors_of().items():
        if not name.endswith("_proj.weight"):
            stored[name] = dtype, values
            continue
        codes, scales = fp8(torch.from_numpy(values), (8, 8))
        stored[name] = "F8_E4M3", codes.view(torch.uint8).numpy()
        stored[name + "_scale_inv"] = "F32", scales.numpy()
    scheme = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [8, 8], "activation_scheme": "dynamic"}
    write_tensors(write_config(folder, quantization_config=scheme) / "model.safetensors", stored)
    return read_checkpoint(folder)


def mapped(tensor: torch.Tensor) -> bool:
    """Whether a tensor lies in a file's pages, by the kernel's own table."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, name = line.split()
        start, end = (int(edge, 16) for edge in span.split("-"))
        if start <= tensor.data_ptr() < end:
            return name.endswith("model.safetensors")
    return False


def test_weights_that_fit_stay_in_the_files_pages(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoder = load(read_checkpoint(write_sample(tmp_path)), device=CPU)
    attention = decoder.weights.layers[0].attention
    assert mapped(decoder.weights.embedding_VD)
    assert mapped(attention.o.weight)
    assert mapped(attention.w_uk_HNC)


def test_a_float32_run_of_a_bfloat16_file_converts_once_into_plain_tensors(tmp_path: Path) -> None:
    decoder = load(in_bfloat16(tmp_path), dtype="float32", device=CPU)
    weight = decoder.weights.layers[0].attention.o.weight
    expected = torch.from_numpy(tensors_of()["model.layers.0.self_attn.o_proj.weight"][1]).bfloat16().float()
    assert torch.equal(weight, expected)
    assert weight.is_contiguous()
    assert not mapped(weight)


@pytest.mark.parametrize(
    ("choice", "dtype"), [("auto", torch.bfloat16), ("float16", torch.float16), ("float32", torch.float32)]
)
def test_the_run_has_the_dtype_that_was_asked_for_but_routers_stay_float32(
    tmp_path: Path, choice: DtypeChoice, dtype: torch.dtype
) -> None:
    decoder = load(in_bfloat16(tmp_path), dtype=choice, device=CPU)
    moe = decoder.weights.layers[1].moe
    assert isinstance(moe, MoeWeights)
    assert decoder.dtype == decoder.new_cache().c_kv_LTC.dtype == dtype
    assert moe.experts[0].gate.weight.dtype == dtype
    assert moe.gate_ED.dtype == torch.float32


def test_a_float32_router_is_not_rounded_on_its_way(tmp_path: Path) -> None:
    decoder = load(read_checkpoint(write_sample(tmp_path)), dtype="bfloat16", device=CPU)
    moe = decoder.weights.layers[1].moe
    assert isinstance(moe, MoeWeights)
    assert np.array_equal(moe.gate_ED.numpy(), tensors_of()["model.layers.1.mlp.gate.weight"][1])


def test_rooms_for_experts_follow_each_other(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    places = experts_side_by_side(checkpoint, make_plan(checkpoint, dtype="bfloat16", device=CPU))
    assert {name: place.shape for name, place in places.items()} == {
        name: stored.shape for name, stored in checkpoint.tensors.items() if ".experts." in name
    }
    for names in zip(*(expert_names(1, expert) for expert in range(4)), strict=True):
        parts = [places[name] for name in names]
        assert joined(parts).data_ptr() == parts[0].data_ptr()
        assert parts[0].dtype == torch.bfloat16


def test_a_header_of_odd_length_still_loads(tmp_path: Path) -> None:
    path = write_sample(tmp_path) / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    path.write_bytes((length + 1).to_bytes(8, "little") + content[8 : 8 + length] + b" " + content[8 + length :])
    decoder = load(read_checkpoint(tmp_path), device=CPU)
    assert np.array_equal(decoder.weights.norm.numpy(), tensors_of()["model.norm.weight"][1])


def test_progress_rises_to_the_whole_in_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.checkpoint.loading._YIELD_SECONDS", -1.0)
    checkpoint = read_checkpoint(write_sample(tmp_path, vocab_size=40_000, hidden_size=256))
    progress = list(loading(checkpoint, make_plan(checkpoint, dtype="bfloat16", device=CPU)))
    done = [step for step, _ in progress]
    total = progress[0][1]
    assert done[0] == 0
    assert done[-1] == total == pytest.approx(checkpoint.file_bytes, rel=0.01)
    assert all(0 <= later - earlier <= 2**24 for earlier, later in itertools.pairwise(done))
    assert {whole for _, whole in progress} == {total}


def test_a_dropped_load_lets_go_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.checkpoint.loading._YIELD_SECONDS", -1.0)
    checkpoint = read_checkpoint(write_sample(tmp_path))
    steps = loading(checkpoint, make_plan(checkpoint, dtype="float32", device=CPU))
    next(steps)  # nothing done yet
    next(steps)
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    steps.close()
    del steps, checkpoint
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def run(decoder: Decoder) -> list[torch.Tensor]:
    """The logits of a prompt of 40 tokens and of three more, one by one."""
    ids, cache = torch.arange(43) % 64, decoder.new_cache()
    with torch.inference_mode():
        told = [decoder.step(ids[:40], cache, logits="all")]
        return told + [decoder.step(ids[at : at + 1], cache, absorbed=True) for at in range(40, 43)]


def drained(checkpoint: Checkpoint, plan: Plan) -> Decoder:
    """A decoder loaded by this plan."""
    steps = loading(checkpoint, plan)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            decoder: Decoder = finished.value
            return decoder


@pytest.mark.parametrize("streamed", [False, True], ids=["expanded", "streamed through host memory"])
@pytest.mark.parametrize(
    ("write", "dtype"),
    [
        (lambda folder: read_checkpoint(write_sample(folder)), "bfloat16"),
        (in_bfloat16, "float32"),
        (in_fp8, "float32"),
        (in_fp8, "bfloat16"),
    ],
    ids=["float32 in bfloat16", "bfloat16 in float32", "FP8 in float32", "FP8 in bfloat16"],
)
def test_a_paged_run_is_the_resident_one_bit_for_bit(
    tmp_path: Path, write: Callable[[Path], Checkpoint], dtype: DtypeName, streamed: bool
) -> None:
    checkpoint = write(tmp_path)  # every expert has to be converted
    smallest = make_plan(checkpoint, dtype=dtype, device=CPU, budget_bytes=1)
    assert smallest.slots == 3
    few = replace(smallest, host_slots=3 if streamed else 0)
    paged, whole = drained(checkpoint, few), load(checkpoint, dtype=dtype, device=CPU)
    traffic = traffic_of(paged.weights)
    assert traffic is not None
    assert traffic_of(whole.weights) is None
    for ours, expected in zip(run(paged), run(whole), strict=True):
        assert torch.equal(ours, expected)
    counts = traffic.take()
    assert counts.hits + counts.misses == 4 + 3 * 2  # every expert once in the prompt, two for each token behind it
    assert counts.misses >= 4


def test_a_mapped_checkpoint_beyond_its_budget_runs_in_its_files_pages(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    plan = make_plan(checkpoint, dtype="float32", device=CPU, budget_bytes=1)
    paged, whole = drained(checkpoint, plan), load(checkpoint, device=CPU)
    moe = paged.weights.layers[1].moe
    assert moe is not None
    assert all(mapped(linear.weight) for expert in range(4) for linear in moe.experts[expert])
    assert all(torch.equal(*both) for both in zip(run(paged), run(whole), strict=True))


def test_loading_reads_no_expert_that_is_paged(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    plan = make_plan(checkpoint, dtype="bfloat16", device=CPU, budget_bytes=1)
    experts = sum(stored.stored_bytes for name, stored in checkpoint.tensors.items() if ".experts." in name)
    everything = sum(stored.stored_bytes for stored in checkpoint.tensors.values())
    assert [total for _, total in loading(checkpoint, plan)][-1] == everything - experts


def test_a_small_converted_checkpoint_has_plain_resident_experts(tmp_path: Path) -> None:
    moe = load(in_bfloat16(tmp_path), dtype="float32", device=CPU).weights.layers[1].moe
    assert moe is not None
    assert isinstance(moe.experts, tuple)
    assert all(linear.weight.is_contiguous() for expert in moe.experts for linear in expert)


def test_one_huge_tensor_of_any_format_is_expanded_some_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.checkpoint.loading._YIELD_SECONDS", -1.0)
    checkpoint = read_checkpoint(write_sample(tmp_path, vocab_size=30_000, hidden_size=512))
    huge = FakeStored(torch.randn(30_000, 512).bfloat16())
    checkpoint.tensors["lm_head.weight"] = huge
    steps = loading(checkpoint, make_plan(checkpoint, dtype="float32", device=CPU))
    done = [now for now, _ in steps]
    assert len(huge.fills) == 8
    assert max(huge.fills) * 512 <= 2**21
    assert all(rows % 256 == 0 for rows in huge.fills[:-1])
    assert max(later - now for now, later in itertools.pairwise(done)) <= 30_000 * 512 * 4  # the mapped embedding


def test_a_file_that_changed_since_it_was_described_is_refused(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    write_sample(tmp_path, vocab_size=65)
    with pytest.raises(Problem, match="has changed since it was described"):
        load(checkpoint, device=CPU)
