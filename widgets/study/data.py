"""What the attention study's panel is shown besides the report."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS = ("mha", "gqa", "mqa", "mla")
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """One model's cache while it ran: int64 [steps] tokens held, bytes held with reserve, bytes used.

    `bytes_per_token` by formula; `reads` and `queries` int64 [L, tokens], how often each entry was read, and for how
    many steps each token's query was used.
    """

    tokens: Counts
    measured_bytes: Counts
    used_bytes: Counts
    bytes_per_token: int
    reads: Counts
    queries: Counts

    @property
    def held(self) -> int:
        """Tokens in the cache now."""
        return int(self.tokens[-1]) if len(self.tokens) else 0

    @property
    def read_again(self) -> Counts:
        """How often each token's entry was read by later tokens, int64 [tokens]; every layer's alike."""
        again: Counts = self.reads[0] - 1
        return again
