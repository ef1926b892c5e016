"""The latent cache holds exactly the latents, grows within its promise, and survives a step that fails."""

import torch

from model.network.cache import KvCache
from tests.model.network.tiny import TINY, tiny_decoder


def filled(tokens: list[int], dtype: torch.dtype = torch.float32) -> KvCache:
    cache = KvCache(TINY, dtype=dtype, device=torch.device("cpu"))
    for count in tokens:
        cache.reserve(count)
        for layer in range(TINY.layers):
            cache.write(layer, torch.full((count, 32), float(count)), torch.full((count, 8), float(count)))
        cache.advance(count)
    return cache


def test_used_bytes_are_layers_times_latent_widths() -> None:
    assert filled([10, 1]).used_bytes() == 3 * (32 + 8) * 4 * 11
    assert filled([10, 1], torch.bfloat16).used_bytes() == 3 * (32 + 8) * 2 * 11
    assert filled([]).used_bytes() == 0


def test_the_reserve_keeps_its_promise_at_every_length() -> None:
    cache = filled([1])
    for _ in range(1500):
        cache.reserve(1)
        cache.advance(1)
        spare = cache.measured_bytes() - cache.used_bytes()
        assert 0 <= spare <= 3 * (32 + 8) * 4 * max(64, cache.length // 4)


def test_rows_stay_when_the_cache_grows() -> None:
    cache = filled([5, 100, 300])
    assert cache.c_kv_LTC[2, :405, 0].tolist() == [5.0] * 5 + [100.0] * 100 + [300.0] * 300
    assert cache.k_rope_LTR[0, 404].tolist() == [300.0] * 8


def test_a_step_that_fails_half_way_leaves_the_cache_usable() -> None:
    decoder, cache = tiny_decoder(), tiny_decoder().new_cache()
    ids_T = torch.arange(6)
    decoder.step(ids_T[:5], cache)
    used = cache.used_bytes()
    cache.reserve(1)
    cache.write(0, torch.full((1, 32), float("nan")), torch.full((1, 8), float("nan")))
    assert cache.length == 5
    assert cache.used_bytes() == used
    again = decoder.new_cache()
    decoder.step(ids_T[:5], again)
    assert torch.equal(decoder.step(ids_T[5:], cache), decoder.step(ids_T[5:], again))
