"""A model on CUDA computes what it computes on the CPU."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.config import DtypeName
from model.network.decoder import Decoder, new_probe

TOKENS = 96
IDS = torch.randint(0, 257, (TOKENS,), generator=torch.Generator().manual_seed(1))
CPU = torch.device("cpu")
LOGITS, LATENTS, SCORES, CERTAIN = 1e-4, 1e-5, 1e-5, 1e-5  # as between two programs on the CPU


class Said(NamedTuple):
    """Everything on the CPU: logits [T, V], both cached rows [L, T, …], and the probe's arrays."""

    logits_TV: Tensor
    cached: tuple[Tensor, Tensor]
    source: Tensor
    scores: Tensor
    ids: Tensor
    weights: Tensor
    margins: Tensor


@torch.inference_mode()
def said(decoder: Decoder, *, absorbed: bool = False, sizes: tuple[int, ...] = (TOKENS,)) -> Said:
    cache, parts = decoder.new_cache(), []
    probes = []
    for part in IDS.to(decoder.device).split(list(sizes)):
        probe = new_probe(decoder, len(part))
        parts.append(decoder.step(part, cache, probe=probe, absorbed=absorbed, logits="all", length=TOKENS).cpu())
        probes.append(probe)
    names = ("query_source", "router_scores", "expert_ids", "expert_weights", "margins")
    told = [torch.cat([getattr(probe, name).cpu() for probe in probes], dim=1) for name in names]
    rows = (cache.first_LTX[:, :TOKENS].cpu(), cache.second_LTY[:, :TOKENS].cpu())
    return Said(torch.cat(parts), rows, *told)


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("sizes", [(96,), (40, 55, 1)])
def test_float32_is_the_cpus(folder: Path, device: torch.device, absorbed: bool, sizes: tuple[int, ...]) -> None:
    checkpoint = read_checkpoint(folder)
    expected = said(load(checkpoint, dtype="float32", device=CPU))
    given = said(load(checkpoint, dtype="float32", device=device), absorbed=absorbed, sizes=sizes)
    assert relative(given.logits_TV, expected.logits_TV) <= LOGITS
    for ours, theirs in zip(given.cached, expected.cached, strict=True):
        assert relative(ours, theirs) <= LATENTS
    assert relative(given.source, expected.source) <= LATENTS
    assert (given.scores - expected.scores).abs().max() <= SCORES
    certain = expected.margins > CERTAIN
    assert certain.float().mean() > 0.99
    assert torch.equal(given.ids[certain], expected.ids[certain])
    assert relative(given.weights[certain], expected.weights[certain]) <= LOGITS


@pytest.mark.parametrize(("dtype", "rounding"), [("bfloat16", 0.04), ("float16", 0.005)])
def test_half_precision_is_as_near_to_float32_as_the_cpus(
    folder: Path, device: torch.device, dtype: DtypeName, rounding: float
) -> None:
    checkpoint = read_checkpoint(folder)
    truth_TV = said(load(checkpoint, dtype="float32", device=CPU)).logits_TV
    cpu_error = typical_error(said(load(checkpoint, dtype=dtype, device=CPU)).logits_TV, truth_TV)
    decoder = load(checkpoint, dtype=dtype, device=device)
    for absorbed in (False, True):
        error = typical_error(said(decoder, absorbed=absorbed).logits_TV, truth_TV)
        assert error <= rounding
        assert error <= 2 * cpu_error


def typical_error(logits_TV: Tensor, truth_TV: Tensor) -> float:
    """The median over tokens: a token whose rounding changes an expert says nothing about the arithmetic."""
    return float(((logits_TV - truth_TV).norm(dim=1) / truth_TV.norm(dim=1)).median())


def test_a_probe_changes_no_bit(v3: Path, device: torch.device) -> None:
    decoder = load(read_checkpoint(v3), dtype="float32", device=device)
    ids_T = IDS.to(device)
    for tokens, absorbed in ((TOKENS, False), (1, True)):
        runs = []
        for probe in (None, new_probe(decoder, TOKENS)):
            cache = decoder.new_cache()
            decoder.step(ids_T[:5], cache)
            runs.append(decoder.step(ids_T[:tokens], cache, probe=probe, absorbed=absorbed, logits="all"))
        assert torch.equal(*runs)


def test_experts_lie_side_by_side(v3: Path) -> None:
    """Only where they are loaded onto the device; on the CPU they stay in the file's pages."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    moe = load(read_checkpoint(v3), dtype="float32", device=torch.device("cuda:0")).weights.layers[1].moe
    assert moe is not None
    gates = [moe.experts[expert].gate.weight for expert in range(8)]
    assert {gate.untyped_storage().data_ptr() for gate in gates} == {gates[0].data_ptr()}
