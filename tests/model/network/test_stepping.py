"""A step in pieces: the same numbers, however often it pauses, and nothing left behind when it is dropped."""

import pytest
import torch

from model.network import attention
from model.network.pieces import Pieces
from tests.model.recording.runs import random_decoder, tiny_config

IDS = torch.arange(11) % 57


@torch.inference_mode()
def test_a_step_pauses_in_every_layer_and_gives_the_same_logits() -> None:
    decoder = random_decoder(tiny_config())
    whole, cut = decoder.new_cache(), decoder.new_cache()
    expected = decoder.step(IDS, whole, logits="all")
    told, pauses = taken(decoder.stepping(IDS, cut, logits="all"))
    assert torch.equal(told, expected)
    assert pauses > 2 * decoder.config.layers
    assert torch.equal(cut.c_kv_LTC[:, :11], whole.c_kv_LTC[:, :11])


@torch.inference_mode()
def test_the_longer_a_prompt_the_more_often_a_layer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "BLOCK_SCORES", 128 * 600)  # one head at a time
    decoder = random_decoder(tiny_config())
    ids = torch.arange(600) % 57
    _, few = taken(decoder.stepping(ids[:100], decoder.new_cache()))
    _, many = taken(decoder.stepping(ids, decoder.new_cache()))
    blocks = decoder.config.layers * decoder.config.heads * (5 - 1)  # 600 tokens are five blocks of queries
    assert many - few >= blocks


def taken(pieces: Pieces[torch.Tensor]) -> tuple[torch.Tensor, int]:
    """What a step returns, and how often it paused."""
    pauses = 0
    while True:
        try:
            next(pieces)
            pauses += 1
        except StopIteration as finished:
            return finished.value, pauses


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
