"""The latent KV cache: per layer and token exactly c_kv (after its norm) and k_rope (after RoPE).

Nothing per head is ever stored. The decoder writes every layer's rows, then advances once; a step
that fails half way leaves the length, and so everything readable, as it was.
"""

import torch
from torch import Tensor

from model.config import ModelConfig

RESERVE_TOKENS = 64
RESERVE_SHARE = 4  # one quarter of what is used


class LatentCache:
    """c_kv [L, capacity, C] and k_rope [L, capacity, R]; the first `length` tokens are valid."""

    def __init__(self, config: ModelConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        self.length = 0
        self.c_kv_LTC = torch.empty((config.layers, 0, config.kv_lora_rank), dtype=dtype, device=device)
        self.k_rope_LTR = torch.empty((config.layers, 0, config.qk_rope_head_dim), dtype=dtype, device=device)

    @property
    def capacity(self) -> int:
        """Tokens that fit before the next growth."""
        return self.c_kv_LTC.shape[1]

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` more. The spare room is at most max(64 tokens, 25 %)."""
        needed = self.length + tokens
        if needed <= self.capacity:
            return
        capacity = needed + max(RESERVE_TOKENS, needed // RESERVE_SHARE)
        self.c_kv_LTC = self._grown(self.c_kv_LTC, capacity)
        self.k_rope_LTR = self._grown(self.k_rope_LTR, capacity)

    def write(self, layer: int, c_kv_TC: Tensor, k_rope_TR: Tensor) -> tuple[Tensor, Tensor]:
        """Put one layer's new rows behind the valid ones; returns that layer's c_kv [K, C] and k_rope [K, R]."""
        end = self.length + c_kv_TC.shape[0]
        self.c_kv_LTC[layer, self.length : end] = c_kv_TC
        self.k_rope_LTR[layer, self.length : end] = k_rope_TR
        return self.c_kv_LTC[layer, :end], self.k_rope_LTR[layer, :end]

    def advance(self, tokens: int) -> None:
        """Declare the rows that every layer has written valid."""
        self.length += tokens

    def used_bytes(self) -> int:
        """Bytes of the valid tokens."""
        row = self.c_kv_LTC[:, :1].numel() + self.k_rope_LTR[:, :1].numel() if self.capacity else 0
        return self.length * row * self.c_kv_LTC.element_size()

    def measured_bytes(self) -> int:
        """Bytes of the storages that really hold the cache, the reserve included."""
        return self.c_kv_LTC.untyped_storage().nbytes() + self.k_rope_LTR.untyped_storage().nbytes()

    def _grown(self, old: Tensor, capacity: int) -> Tensor:
        new = old.new_empty((old.shape[0], capacity, old.shape[2]))
        new[:, : self.length] = old[:, : self.length]
        return new
