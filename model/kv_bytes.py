"""KV cache bytes per token by formula: as latents (MLA), and as MHA, GQA and MQA would need for the same model.

DeepSeek-V2 paper, Table 1, with this model's own widths: an expanded key has N + R elements per
head, a value V. Torch-free.
"""

from typing import Literal

from model.config import ModelConfig

KvKind = Literal["mla", "mha", "gqa", "mqa"]
GQA_GROUPS = 8


def kv_bytes_per_token(config: ModelConfig, dtype_bytes: int) -> dict[KvKind, int]:
    """Bytes that one token adds to the cache over all layers, `dtype_bytes` per element."""
    expanded = config.qk_head_dim + config.v_head_dim
    elements: dict[KvKind, int] = {
        "mla": config.kv_lora_rank + config.qk_rope_head_dim,
        "mha": config.heads * expanded,
        "gqa": min(GQA_GROUPS, config.heads) * expanded,
        "mqa": expanded,
    }
    return {kind: count * config.layers * dtype_bytes for kind, count in elements.items()}
