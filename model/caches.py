"""The four caches side by side: what one token leaves in one layer for all later tokens to read. Torch-free.

Queries are never kept: a query is used by its own token alone, while every later token reads this one's rows.
"""

from typing import NamedTuple

from model.config import ModelConfig


class Kept(NamedTuple):
    """One row of the cache: its name in a recording, and its elements."""

    name: str
    width: int


def kept(config: ModelConfig) -> tuple[Kept, Kept]:
    """The two rows per token and layer (DeepSeek-V2 paper, Table 1). A key has N + R elements, a value V."""
    key, value = config.qk_head_dim, config.v_head_dim
    match config.attention:
        case "mha":  # every head has a key and a value of its own
            return Kept("k", config.heads * key), Kept("v", config.heads * value)
        case "gqa":  # a group of heads shares one key and one value
            groups = config.kv_heads or 1
            return Kept("k", groups * key), Kept("v", groups * value)
        case "mqa":  # all heads share one
            return Kept("k", key), Kept("v", value)
        case "mla":  # every head makes its own from one latent; the rotated part of the key is shared
            return Kept("c_kv", config.kv_lora_rank), Kept("k_rope", config.qk_rope_head_dim)


def kept_bytes(config: ModelConfig, dtype_bytes: int) -> int:
    """Bytes that one token adds to the cache over all layers, `dtype_bytes` per element."""
    return sum(row.width for row in kept(config)) * config.layers * dtype_bytes
