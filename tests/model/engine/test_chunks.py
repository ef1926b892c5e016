"""How many tokens of a prompt go through the layers at once."""

from dataclasses import replace

from app.commands.random_checkpoint import SHAPES
from model.engine.generation import chunk_tokens


def test_chunks_are_larger_where_a_layer_is_soon_done() -> None:
    assert chunk_tokens(SHAPES["tiny"]) == 1024
    assert chunk_tokens(SHAPES["mid"]) == 512


def test_the_logits_of_a_chunk_stay_within_128_mb() -> None:
    for vocabulary in (129_280, 262_144):
        chunk = chunk_tokens(replace(SHAPES["mid"], vocab_size=vocabulary))
        assert 64 <= chunk <= 512
        assert 4 * chunk * vocabulary <= 128 * 2**20
    assert chunk_tokens(replace(SHAPES["mid"], vocab_size=10_000_000)) == 64
