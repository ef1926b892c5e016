"""MiniCPM3: dense MLA with half-split RoPE and three scalings: of embeddings, of each residual branch, of the head."""

import math
from dataclasses import replace

from model.checkpoint.families.common import model_config
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 73_448,
    "hidden_size": 2_560,
    "intermediate_size": 6_400,
    "num_hidden_layers": 62,
    "num_attention_heads": 40,
    "kv_lora_rank": 256,
    "q_lora_rank": 768,
    "qk_rope_head_dim": 32,
    "qk_nope_head_dim": 64,
    "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
    "scale_emb": 12,
    "scale_depth": 1.4,
    "dim_model_base": 256,
}
_SCALE_LIMIT = 1e6


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `minicpm3` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    heads, width = keys.get("num_attention_heads"), keys.get("hidden_size")
    if isinstance(heads, int) and isinstance(width, int) and heads > 0:
        if width % heads:
            keys.refuse("num_attention_heads", f"a divisor of hidden_size = {width}")
        if keys.get("v_head_dim") is None:
            keys = replace(keys, values={**keys.values, "v_head_dim": width // heads})
    config = model_config(
        keys,
        notes,
        family="MiniCPM3",
        rope=rope(keys, notes, interleaved=False),
        mlp_bias=keys.flag("mlp_bias"),
    )
    depth = keys.number_or_none("scale_depth", most=_SCALE_LIMIT)
    base = keys.number_or_none("dim_model_base", most=_SCALE_LIMIT)
    return replace(
        config,
        embedding_scale=keys.number("scale_emb", most=_SCALE_LIMIT),
        residual_scale=1.0 if depth is None else depth / math.sqrt(config.layers),
        logit_scale=1.0 if base is None else base / config.hidden_size,
    )
