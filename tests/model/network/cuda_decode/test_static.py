"""The step in memory that never moves against torch's absorbed step: the same numbers, wherever the cache stands."""

from typing import Any

import pytest
import torch
from torch import Tensor

from model.config import LongRopeConfig, RopeConfig, YarnConfig
from model.network.cuda_decode.static import StaticStep, side_by_side
from model.network.decoder import Decoder, new_probe
from model.network.side_by_side import joined
from model.probe import Probe
from tests.model.network.options import OPTIONS
from tests.model.network.tiny import tiny_decoder

PROMPT = torch.arange(20) * 13 % 257
LONG = LongRopeConfig((1.0, 1.5, 2.0, 1.2), (3.0, 9.0, 1.7, 25.0), 22)
MORE: dict[str, dict[str, Any]] = {
    "yarn": {"rope": RopeConfig(10_000.0, yarn=YarnConfig(40.0, 16, mscale=0.707, mscale_all_dim=0.707))},
    "longrope, from short to long": {"rope": RopeConfig(10_000.0, longrope=LONG)},
    "grouped keys": {"kv_heads": 2, "q_lora_rank": None, "kv_lora_rank": 0},
}
STEPS = 4


def told(probe: Probe[Tensor]) -> list[Tensor]:
    names = ("query_source", "router_scores", "expert_ids", "expert_weights", "margins")
    return [getattr(probe, name)[:, :1].clone() for name in names]


@torch.inference_mode()
def by_torch(decoder: Decoder) -> list[Tensor]:
    cache, probe, said = decoder.new_cache(), new_probe(decoder, 1), []
    decoder.step(PROMPT, cache)
    for token in range(STEPS):
        said += [decoder.step(torch.tensor([token * 7]), cache, probe=probe, absorbed=True), *told(probe)]
    return [*said, cache.first_LTX[:, : cache.length], cache.second_LTY[:, : cache.length]]


@torch.inference_mode()
def by_static(decoder: Decoder) -> list[Tensor]:
    beside, cache, said = side_by_side(decoder), decoder.new_cache(), []
    assert beside is not None
    decoder.step(PROMPT, cache)
    cache.first_LTX[:, cache.length :] = float("nan")  # what fresh memory may hold
    static = StaticStep(beside, cache)
    for token in range(STEPS):
        static.place(torch.tensor([token * 7]), cache.length)
        said += [static.run(), *told(static.probe)]
        cache.advance(1)
    assert static.serves(cache)
    return [*said, cache.first_LTX[:, : cache.length], cache.second_LTY[:, : cache.length]]


@pytest.mark.parametrize("option", [*OPTIONS, *MORE])
def test_every_option_gives_what_torch_gives(option: str) -> None:
    decoder = tiny_decoder(**(OPTIONS | MORE)[option])
    for expected, given in zip(by_torch(decoder), by_static(decoder), strict=True):
        largest = max(1.0, float(expected.float().abs().nan_to_num(posinf=1.0).max())) if expected.numel() else 1.0
        torch.testing.assert_close(given, expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("option", [*OPTIONS, *MORE])
def test_nothing_is_asked_of_the_device(option: str) -> None:
    """A meta tensor has no values to tell, nor meets those of another device."""
    meta = torch.device("meta")
    decoder = tiny_decoder(device=meta, **(OPTIONS | MORE)[option])
    cache, beside = decoder.new_cache(), side_by_side(decoder)
    cache.reserve(9)
    assert beside is not None
    static = StaticStep(beside, cache)
    static.place(torch.empty(1, dtype=torch.int64, device=meta), 8)
    assert static.run().shape == (1, 257)


def test_a_cache_that_has_grown_is_served_no_more() -> None:
    decoder = tiny_decoder()
    cache = decoder.new_cache()
    decoder.step(PROMPT, cache)
    static = StaticStep(decoder, cache)
    cache.reserve(1)
    assert static.serves(cache)
    cache.reserve(1000)
    assert not static.serves(cache)
    assert not static.serves(decoder.new_cache())


def test_experts_that_follow_each_other_are_not_copied() -> None:
    whole_EWD = torch.randn(5, 6, 4)
    parts = list(whole_EWD[1:])
    assert joined(parts).data_ptr() == parts[0].data_ptr()
    assert torch.equal(joined(parts), whole_EWD[1:])
    turned = [parts[1], parts[0], *parts[2:]]
    assert joined(turned).data_ptr() not in {part.data_ptr() for part in parts}
    assert torch.equal(joined(turned), torch.stack(turned))
    assert torch.equal(joined([one.T for one in parts]), torch.stack([one.T for one in parts]))
