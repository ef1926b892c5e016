"""`bench large` with a small model: its files are sound, its figures are of the run, and nothing stays behind."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from app.commands import bench_large as command
from app.commands.large_checkpoint import V2_LITE, large_bytes, write_large_checkpoint
from app.commands.random_checkpoint import LONG
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.plan import make_plan
from model.problems import Problem
from model.shapes import parameters_total
from model.tensorfile import TensorFile

SMALL = replace(LONG, vocab_size=300, hidden_size=128, moe_intermediate_size=64, layers=2, moe_layers=(1,))
EXPERT_BYTES = 3 * 128 * 64 * 2


def test_the_large_shape_is_that_of_deepseek_v2_lite() -> None:
    assert parameters_total(V2_LITE) == 15_706_484_224  # DeepSeek-V2, appendix B: 15.7 B
    assert large_bytes(V2_LITE) == 2 * 15_706_484_224


def test_a_written_checkpoint_is_sharded_and_of_sane_values(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    total = write_large_checkpoint(
        tmp_path, SMALL, shard_bytes=200_000, told=lambda done, whole: heard.append((done, whole))
    )
    files = [TensorFile(path) for path in sorted(tmp_path.glob("*.safetensors"))]
    assert len(files) > 2
    assert all(file.header.file_bytes - file.header.data_start <= 200_000 for file in files)
    bits = {name: file.array(name) for file in files for name in file.header.entries}
    assert sum(values.nbytes for values in bits.values()) == total == large_bytes(SMALL)
    assert heard[-1] == (total, total)
    floats = {name: (values.astype("u4") << 16).view("f4") for name, values in bits.items()}
    assert (floats["model.norm.weight"] == 1).all()
    experts = [floats[f"model.layers.1.mlp.experts.{expert}.up_proj.weight"] for expert in range(2)]
    assert experts[0].std() == pytest.approx(0.02, rel=0.05)
    assert (experts[0] != experts[1]).mean() > 0.9


def budget_for_one_token(folder: Path) -> int:
    """What is just enough for a float32 run of the small model."""
    folder.mkdir()
    write_large_checkpoint(folder, SMALL)
    return make_plan(read_checkpoint(folder), dtype="float32", device=torch.device("cpu"), budget_bytes=1).least_bytes


def test_figures_are_of_the_run_and_the_files_are_gone(tmp_path: Path) -> None:
    budget = budget_for_one_token(tmp_path / "same")
    folder = tmp_path / "large"
    folder.mkdir()
    result: Any = command.bench_large(folder=str(folder), tokens=9, budget=budget, config=SMALL, shard_bytes=200_000)
    assert list(folder.iterdir()) == []
    assert result["reason"] == "length"
    assert result["dtype"] == "float32"  # small, so converted; experts are expanded through the cache
    assert result["budget_bytes"] == budget
    assert result["parameters_total"] == parameters_total(SMALL)
    for part in ("first_half", "second_half"):
        asked = cast(dict[str, float], result[part])
        assert asked["expert_hits"] + asked["expert_misses"] == 2
        assert asked["bytes_read"] == pytest.approx(asked["expert_misses"] * EXPERT_BYTES)
    assert min(result[name] for name in ("open_seconds", "prefill_tokens_per_second", "decode_tokens_per_second")) > 0
    assert result["unreclaimable_bytes"] > 50e6


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Problem("The engine is gone.")])
def test_the_files_are_gone_after_a_failure_or_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(folder: str, *_: object, **__: object) -> None:
        assert any(Path(folder).iterdir())
        raise error

    monkeypatch.setattr(command, "_measured", fail)
    with pytest.raises(type(error)):
        command.bench_large(folder=str(tmp_path), tokens=2, config=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_refused_before_a_byte_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SPARE_BYTES", 10**18)
    with pytest.raises(Problem, match="give another --folder"):
        command.bench_large(folder=str(tmp_path), tokens=2, config=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="give another --folder"):
        command.bench_large(folder=str(tmp_path / "nowhere"), tokens=2, config=SMALL)
