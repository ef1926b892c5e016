"""KV cache bytes per token by formula: as latents (MLA), and as MHA, GQA and MQA would need for the same model.

DeepSeek-V2 paper, Table 1, with this model's own widths: an expanded key has N + R elements per
head, a value V. The model's own kind is what its cache really keeps. Torch-free.
"""

from model.caches import kept_bytes
from model.config import AttentionKind, ModelConfig

KvKind = AttentionKind
GQA_GROUPS = 8


def kv_bytes_per_token(config: ModelConfig, dtype_bytes: int) -> dict[KvKind, int]:
    """Bytes that one token adds to the cache over all layers, `dtype_bytes` per element.

    A model without latents counts as MLA by the paper's proportions: a latent of 4 heads and half a head rotated.
    """
    expanded = config.qk_head_dim + config.v_head_dim
    elements: dict[KvKind, int] = {
        "mla": 9 * config.v_head_dim // 2,
        "mha": config.heads * expanded,
        "gqa": min(GQA_GROUPS, config.heads) * expanded,
        "mqa": expanded,
    }
    formulas = {kind: count * config.layers * dtype_bytes for kind, count in elements.items()}
    return formulas | {config.attention: kept_bytes(config, dtype_bytes)}
