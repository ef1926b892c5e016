"""What an attention block computes from its input before any token meets another."""

from typing import NamedTuple

from torch import Tensor


class Projected(NamedTuple):
    """Queries of the new tokens, with their positions, and the two rows that the cache keeps of each token.

    `source_TS` rebuilds the queries: c_q after its norm, or the normalised input. `kept` is c_kv [T, C] and
    k_rope [T, R] for MLA, else k [T, G·(N+R)], in each head content before rotated, and v [T, G·V].
    """

    source_TS: Tensor
    content_THN: Tensor
    rope_THR: Tensor
    kept: tuple[Tensor, Tensor]
