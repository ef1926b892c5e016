"""GLM-4.5 and others of its kind: DeepSeek-V3's experts behind MHA, GQA or MQA whose heads are rotated in part."""

from dataclasses import replace

from model.checkpoint.families.common import (
    HEAD_LIMIT,
    WIDTH_LIMIT,
    Widths,
    layers_behind,
    model_config,
    sigmoid_router,
)
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope, settings
from model.config import ModelConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 151_552,
    "hidden_size": 4_096,
    "intermediate_size": 10_944,
    "moe_intermediate_size": 1_408,
    "num_hidden_layers": 46,
    "num_attention_heads": 96,
    "num_key_value_heads": 8,
    "n_shared_experts": 1,
    "n_routed_experts": 128,
    "routed_scaling_factor": 1.0,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-5,
}
ROTATED = 0.5  # of each head, unless the config says otherwise


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `glm4_moe` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    for key, what in (("use_qk_norm", "norms on queries and keys"), ("attention_bias", "biases on queries and keys")):
        if keys.flag(key):
            keys.refuse(key, f"false: {what} are not modelled")
    moe_layers, share = layers_behind(keys, notes), _share(keys)
    return model_config(
        keys,
        notes,
        family="GLM-4 MoE",
        moe_layers=moe_layers,
        router=sigmoid_router(keys, notes, moe_layers),
        rope=rope(keys, notes, interleaved=False, share=share),
        widths=_widths(keys, share),
    )


def _share(keys: Keys) -> float:
    """What part of every head is rotated."""
    for where in (settings(keys), keys):
        if where.get("partial_rotary_factor") is not None:
            return where.number("partial_rotary_factor", most=1.0)
    return ROTATED


def _widths(keys: Keys, share: float) -> Widths:
    heads = keys.whole("num_attention_heads", most=HEAD_LIMIT)
    kv_heads = keys.whole("num_key_value_heads", most=heads)
    if heads % kv_heads:
        keys.refuse("num_key_value_heads", f"a divisor of num_attention_heads = {heads}")
    if keys.get("head_dim") is None:
        width = keys.whole("hidden_size", most=WIDTH_LIMIT) // heads
    else:
        width = keys.whole("head_dim", least=2, most=WIDTH_LIMIT)
    rotated = int(width * share)
    if rotated < 2 or rotated % 2:
        keys.refuse("head_dim", f"such that its rotated part, {share:g} of it, is an even number")
    return Widths(None, 0, width - rotated, rotated, width, kv_heads)
