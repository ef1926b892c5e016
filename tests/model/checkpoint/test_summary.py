"""What is told about a checkpoint before it is loaded."""

from pathlib import Path

import torch

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.checkpoint.memory import free_bytes
from model.checkpoint.summary import summarise
from model.messages import Described, decode_event, encode
from tests.model.checkpoint.sample import write_sample


def test_a_summary_counts_what_the_run_will_take(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    summary = summarise(checkpoint)
    assert summary.kv_bytes_per_token == {"mla": 2 * 12 * 4, "mha": 2 * 2 * 15 * 4, "gqa": 2 * 2 * 15 * 4, "mqa": 120}
    assert summary.weight_bytes == summary.parameters_total * 4
    assert summary.file_bytes > summary.weight_bytes
    assert summary.parameters_active < summary.parameters_total
    assert summary.dtype == "float32"


def test_half_precision_halves_all_but_the_router(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    summary = summarise(checkpoint, dtype="bfloat16")
    router = 4 * 16
    assert summary.weight_bytes == (summary.parameters_total - router) * 2 + router * 4
    assert summary.kv_bytes_per_token["mla"] == 2 * 12 * 2
    assert summary.dtype == "bfloat16"


def test_bytes_by_formula_are_bytes_that_the_cache_uses(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    decoder = load(checkpoint, device=torch.device("cpu"))
    cache = decoder.new_cache()
    decoder.step(torch.arange(11), cache)
    assert cache.used_bytes() == 11 * summarise(checkpoint).kv_bytes_per_token["mla"]


def test_free_memory_is_some_and_not_more_than_any_machine_has() -> None:
    assert 2**20 < free_bytes() < 2**50


def test_a_summary_crosses_the_process_border(tmp_path: Path) -> None:
    summary = summarise(read_checkpoint(write_sample(tmp_path)))
    event = decode_event(encode(Described(request=3, summary=summary)))
    assert isinstance(event, Described)
    assert event.summary.config == summary.config
    assert event.summary.notes == summary.notes
