"""A step in pieces: one pause a layer, the same numbers, and nothing left behind when it is dropped."""

import torch

from tests.model.recording.runs import random_decoder, tiny_config

IDS = torch.arange(11) % 57


def test_a_step_pauses_behind_every_layer_and_gives_the_same_logits() -> None:
    decoder = random_decoder(tiny_config())
    whole, cut = decoder.new_cache(), decoder.new_cache()
    expected = decoder.step(IDS, whole, logits="all")
    pieces, pauses = decoder.stepping(IDS, cut, logits="all"), 0
    told: torch.Tensor | None = None
    while told is None:
        try:
            next(pieces)
            pauses += 1
        except StopIteration as finished:
            told = finished.value
    assert torch.equal(told, expected)
    assert pauses == decoder.config.layers
    assert torch.equal(cut.c_kv_LTC[:, :11], whole.c_kv_LTC[:, :11])


def test_a_step_dropped_half_way_leaves_the_cache_as_it_was() -> None:
    decoder = random_decoder(tiny_config())
    cache, untouched = decoder.new_cache(), decoder.new_cache()
    for each in (cache, untouched):
        decoder.step(IDS, each)
    pieces = decoder.stepping(IDS, cache)
    next(pieces)
    pieces.close()
    assert cache.length == 11
    assert torch.equal(decoder.step(IDS[:1], cache), decoder.step(IDS[:1], untouched))
