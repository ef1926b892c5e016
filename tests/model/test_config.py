"""Widths that follow from others."""

from dataclasses import replace

from model.config import DTYPE_BYTES
from tests.model.network.tiny import TINY


def test_a_query_and_a_key_are_content_and_position_side_by_side() -> None:
    assert TINY.qk_head_dim == 16 + 8


def test_queries_are_rebuilt_from_their_latent_or_from_the_input() -> None:
    assert TINY.query_source_width == 24
    assert replace(TINY, q_lora_rank=None).query_source_width == 64


def test_elements_have_the_bytes_of_their_dtype() -> None:
    assert DTYPE_BYTES == {"float32": 4, "bfloat16": 2, "float16": 2}
