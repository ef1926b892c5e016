"""What the KV memory view shows: measured bytes by token count, and the same run by formula."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Measure = Literal["total", "per token"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True, eq=False)
class MemorySeries:
    """Bytes of the KV cache while it grows.

    `tokens` int [n], rising, is how many tokens the cache held; `measured_bytes` int [n] are the bytes of
    the storages that really hold them, reserve included; `used_bytes` int [n] leave the reserve out.
    `mla`, `mha`, `gqa`, `mqa` are bytes per token over all layers, by formula.
    """

    tokens: NDArray[np.int64]
    measured_bytes: NDArray[np.int64]
    used_bytes: NDArray[np.int64]
    mla: int
    mha: int
    gqa: int
    mqa: int
    gqa_groups: int
    planned_tokens: int
    context_limit: int
    free_bytes: int
    layers: int
    dtype: str
    kind: str = "mla"  # what the model's own cache is, and so what is measured

    @property
    def own(self) -> int:
        """Bytes per token by the formula of the model's own attention."""
        sizes: dict[str, int] = {"mla": self.mla, "mha": self.mha, "gqa": self.gqa, "mqa": self.mqa}
        return sizes[self.kind]

    @property
    def others(self) -> list[tuple[str, int]]:
        """The three attentions that the model does not have, and their bytes per token."""
        sizes = (("mha", self.mha), ("gqa", self.gqa), ("mqa", self.mqa), ("mla", self.mla))
        return [(kind, size) for kind, size in sizes if kind != self.kind]

    @property
    def held(self) -> int:
        """How many tokens the cache holds now."""
        return int(self.tokens[-1]) if len(self.tokens) else 0

    @property
    def reserve(self) -> int:
        """Bytes allocated ahead of use, now."""
        return int(self.measured_bytes[-1] - self.used_bytes[-1]) if len(self.tokens) else 0

    def row_of(self, token: int) -> int | None:
        """The row at which this many tokens were held, or the next one measured; None past the end."""
        row = int(np.searchsorted(self.tokens, token))
        return row if row < len(self.tokens) else None
