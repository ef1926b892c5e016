"""Prefill never holds heads × tokens × tokens numbers; lower precision stays near float32."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.model.network.tiny import tiny_decoder

ROOT = Path(__file__).parents[3]
PEAK = """
import resource, sys, torch
from tests.model.network.tiny import tiny_decoder
torch.set_num_threads(2)
widths = dict(heads=16, qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=24)
decoder = tiny_decoder(**widths, layers=1, moe_layers=(), router=None)
chunk = int(sys.argv[1])
decoder.step(torch.arange(64), decoder.new_cache())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cache = decoder.new_cache()
for part in (torch.arange(4096) % 257).split(chunk):
    decoder.step(part, cache)
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize("chunk", [4096, 1024])
def test_prefill_of_4096_tokens_never_holds_all_scores(chunk: int) -> None:
    """16 heads × 4096² float32 scores are 1 GiB; a fresh process must stay far below."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(chunk)], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 256 * 1024  # KiB


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.08), (torch.float16, 0.01)])
@pytest.mark.parametrize("q_lora_rank", [24, None])
def test_lower_precision_stays_near_float32(dtype: torch.dtype, tolerance: float, q_lora_rank: int | None) -> None:
    changes = {"layers": 1, "moe_layers": (), "q_lora_rank": q_lora_rank}
    exact, rounded = tiny_decoder(**changes), tiny_decoder(dtype=dtype, **changes)
    ids_T = torch.arange(40)
    expected = exact.step(ids_T, exact.new_cache(), logits="all")
    for absorbed in (False, True):
        cache = rounded.new_cache()
        logits_TV = rounded.step(ids_T, cache, absorbed=absorbed, logits="all")
        assert cache.c_kv_LTC.dtype == dtype
        assert logits_TV.dtype == torch.float32
        assert float((logits_TV - expected).abs().max() / expected.abs().max()) < tolerance


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_decodes_through_experts(dtype: torch.dtype) -> None:
    decoder = tiny_decoder(dtype=dtype)
    cache = decoder.new_cache()
    decoder.step(torch.arange(20), cache)
    for token in range(5):
        assert torch.isfinite(decoder.step(torch.tensor([token]), cache, absorbed=True)).all()
    assert cache.length == 25
    assert cache.used_bytes() == 3 * (32 + 8) * 2 * 25


def test_a_token_sees_nothing_behind_it() -> None:
    decoder = tiny_decoder()
    ids_T = torch.arange(30)
    changed_T = ids_T.clone()
    changed_T[20:] = 99
    for absorbed in (False, True):
        first, second = (
            decoder.step(x, decoder.new_cache(), absorbed=absorbed, logits="all") for x in (ids_T, changed_T)
        )
        assert torch.allclose(first[:20], second[:20], atol=1e-6)
        assert (first[20:] - second[20:]).abs().max() > 0.1
