"""Loading: which dtype, when nothing is copied, progress that can be dropped."""

import gc
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import DtypeChoice, load, loading
from model.checkpoint.plan import make_plan
from model.network.weights import MoeWeights
from model.problems import Problem
from model.tensorfile import write_tensors
from tests.model.checkpoint.sample import tensors_of, write_config, write_sample

CPU = torch.device("cpu")


def in_bfloat16(folder: Path) -> Checkpoint:
    """The sample stored in bfloat16."""
    bits = {name: torch.from_numpy(x).bfloat16().view(torch.uint16).numpy() for name, (_, x) in tensors_of().items()}
    write_tensors(
        write_config(folder, torch_dtype="bfloat16") / "model.safetensors", {k: ("BF16", v) for k, v in bits.items()}
    )
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


def test_a_file_that_changed_since_it_was_described_is_refused(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    write_sample(tmp_path, vocab_size=65)
    with pytest.raises(Problem, match="has changed since it was described"):
        load(checkpoint, device=CPU)
