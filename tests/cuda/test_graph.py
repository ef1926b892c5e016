"""The decode step as a CUDA graph gives what torch's step gives, and a capture that fails costs nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.network.decoder import Decoder, new_probe
from model.network.decoding import DecodeStep
from tests.model.network.options import OPTIONS
from tests.model.network.tiny import tiny_decoder

STEPS = 150  # the cache grows twice meanwhile, so three graphs are captured
ROOT = Path(__file__).parents[2]
GROUPED: dict[str, Any] = {"grouped keys": {"kv_heads": 2, "q_lora_rank": None, "kv_lora_rank": 0}}


@torch.inference_mode()
def greedy(
    decoder: Decoder, *, by_graph: bool, count: int, fed: list[int] | None = None
) -> tuple[list[int], Tensor, list[Tensor]]:
    """Tokens, logits [n, V] and what each step's probe told, all on the CPU. `fed`: these tokens are fed."""
    step = DecodeStep(decoder, threads=1) if by_graph else None
    cache, probe, tokens = decoder.new_cache(), new_probe(decoder, 1), [5]
    decoder.step(torch.arange(20, device=decoder.device) * 13 % 257, cache)
    logits, told = [], []
    for _ in range(count):
        ids_T = torch.tensor(tokens[-1:] if fed is None else fed[len(logits) :][:1], device=decoder.device)
        if step is None:
            logits.append(decoder.step(ids_T, cache, probe=probe, absorbed=True))
        else:
            assert step.by_graph, step.note
            logits.append(step(ids_T, cache, probe=probe))
        tokens.append(int(logits[-1].argmax()))
        told.append(_told(probe))
    assert step is None or not step.note, step.note if step else ""
    cached = [rows[:, : cache.length].cpu() for rows in (cache.first_LTX, cache.second_LTY)]
    names = [torch.cat(each, dim=1) for each in zip(*told, strict=True)]
    return tokens, torch.cat(logits).cpu(), [*names, *cached]


def _told(probe: Any) -> list[Tensor]:
    names = ("query_source", "router_scores", "expert_weights", "margins", "expert_ids")
    return [getattr(probe, name).cpu() for name in names]


def assert_same(decoder: Decoder, *, count: int, share: float) -> None:
    tokens, expected_TV, theirs = greedy(decoder, by_graph=False, count=count)
    given, given_TV, ours = greedy(decoder, by_graph=True, count=count)
    assert given == tokens
    for mine, other in zip([given_TV, *ours], [expected_TV, *theirs], strict=True):
        largest = max(1.0, float(other.float().abs().nan_to_num(posinf=1.0).max())) if other.numel() else 1.0
        torch.testing.assert_close(mine, other, rtol=0, atol=share * largest)


def test_checkpoints_decode_as_by_torch(folder: Path, device: torch.device) -> None:
    assert_same(load(read_checkpoint(folder), dtype="float32", device=device), count=STEPS, share=2e-5)


@pytest.mark.parametrize("option", [*OPTIONS, *GROUPED])
def test_every_option_decodes_as_by_torch(option: str, device: torch.device) -> None:
    assert_same(tiny_decoder(device=device, **(OPTIONS | GROUPED)[option]), count=12, share=2e-5)


def test_bfloat16_is_near_what_torch_gives(folder: Path, device: torch.device) -> None:
    decoder, fed = load(read_checkpoint(folder), dtype="bfloat16", device=device), list(range(STEPS))
    _, expected_TV, _ = greedy(decoder, by_graph=False, count=STEPS, fed=fed)
    _, given_TV, _ = greedy(decoder, by_graph=True, count=STEPS, fed=fed)
    error_T = (given_TV - expected_TV).norm(dim=1) / expected_TV.norm(dim=1)
    assert error_T.median() < 0.04  # a token whose rounding changes an expert says nothing about the arithmetic


def test_two_runs_share_a_decoder(v3: Path, device: torch.device) -> None:
    """Each has a graph of its own: a token of the one in between does not disturb the other."""
    decoder = load(read_checkpoint(v3), dtype="float32", device=device)
    expected, *_ = greedy(decoder, by_graph=False, count=10)
    steps = [DecodeStep(decoder, threads=1) for _ in range(2)]
    caches, tokens = [decoder.new_cache() for _ in steps], [[5], [5]]
    with torch.inference_mode():
        for cache in caches:
            decoder.step(torch.arange(20, device=device) * 13 % 257, cache)
        for _ in range(10):
            for step, cache, mine in zip(steps, caches, tokens, strict=True):
                mine.append(int(step(torch.tensor(mine[-1:], device=device), cache).argmax()))
    assert tokens == [expected, expected]


def test_a_capture_that_really_fails_costs_no_token(v3: Path) -> None:
    """In a process of its own, which may be left with a broken device."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    command = [sys.executable, "-m", "tests.cuda.failed_capture", str(v3)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "without a CUDA graph" in done.stdout
