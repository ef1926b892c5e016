"""The KV cache: per layer and token exactly the two rows that `model.caches` lists for the model's attention.

MLA keeps c_kv (after its norm) and k_rope (after RoPE), nothing per head; MHA, GQA and MQA keep k (after
RoPE) and v of their key-value heads. The decoder writes every layer's rows, then advances once; a step
that fails half way leaves the length, and so everything readable, as it was.
"""

from typing import Protocol

import torch
from torch import Tensor

from model.caches import kept
from model.config import ModelConfig

RESERVE_TOKENS = 64
RESERVE_SHARE = 4  # one quarter of what is used


class Rows(Protocol):
    """Where a step puts each layer's new rows, and gets those to attend to."""

    def write(self, layer: int, first_TX: Tensor, second_TY: Tensor) -> tuple[Tensor, Tensor]:
        """Keep one layer's new rows; returns what its queries may read, [K, X] and [K, Y]."""
        ...


class KvCache:
    """c_kv or k [L, capacity, X], and k_rope or v [L, capacity, Y]; the first `length` tokens are valid."""

    def __init__(self, config: ModelConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        self.length = 0
        self.first_LTX, self.second_LTY = (
            torch.empty((config.layers, 0, row.width), dtype=dtype, device=device) for row in kept(config)
        )

    @property
    def c_kv_LTC(self) -> Tensor:
        """The latents of MLA."""
        return self.first_LTX

    @property
    def k_rope_LTR(self) -> Tensor:
        """The rotated part of MLA's keys."""
        return self.second_LTY

    @property
    def capacity(self) -> int:
        """Tokens that fit before the next growth."""
        return self.first_LTX.shape[1]

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` more. The spare room is at most max(64 tokens, 25 %)."""
        needed = self.length + tokens
        if needed <= self.capacity:
            return
        capacity = needed + max(RESERVE_TOKENS, needed // RESERVE_SHARE)
        self.first_LTX = self._grown(self.first_LTX, capacity)
        self.second_LTY = self._grown(self.second_LTY, capacity)

    def write(self, layer: int, first_TX: Tensor, second_TY: Tensor) -> tuple[Tensor, Tensor]:
        """Put one layer's new rows behind the valid ones; returns all of that layer's, [K, X] and [K, Y]."""
        end = self.length + first_TX.shape[0]
        self.first_LTX[layer, self.length : end] = first_TX
        self.second_LTY[layer, self.length : end] = second_TY
        return self.first_LTX[layer, :end], self.second_LTY[layer, :end]

    def advance(self, tokens: int) -> None:
        """Declare the rows that every layer has written valid."""
        self.length += tokens

    def used_bytes(self) -> int:
        """Bytes of the valid tokens."""
        layers, _, width = self.first_LTX.shape
        return self.length * layers * (width + self.second_LTY.shape[2]) * self.first_LTX.element_size()

    def measured_bytes(self) -> int:
        """Bytes of the storages that really hold the cache, the reserve included."""
        return self.first_LTX.untyped_storage().nbytes() + self.second_LTY.untyped_storage().nbytes()

    def _grown(self, old: Tensor, capacity: int) -> Tensor:
        new = old.new_empty((old.shape[0], capacity, old.shape[2]))
        new[:, : self.length] = old[:, : self.length]
        return new
