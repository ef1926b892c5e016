"""Mistral 4: softmax router with groups by their two best experts, YaRN, queries that grow with their position."""

from dataclasses import replace

from model.checkpoint.families.common import (
    WIDTH_LIMIT,
    experts_and_choice,
    groups_and_choice,
    layers_behind,
    model_config,
    scaling_factor,
)
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import original_length, rope, settings
from model.config import ModelConfig, QueryTemperature, RouterConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 131_072,
    "hidden_size": 4_096,
    "intermediate_size": 12_288,
    "moe_intermediate_size": 2_048,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "n_shared_experts": 1,
    "n_routed_experts": 128,
    "routed_scaling_factor": 1.0,
    "kv_lora_rank": 256,
    "q_lora_rank": 1_024,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "qk_nope_head_dim": 64,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 4,
    "first_k_dense_replace": 0,
    "norm_topk_prob": True,
    "max_position_embeddings": 1_048_576,
    "rms_norm_eps": 1e-6,
    "rope_interleave": True,
}
_ROPE: dict[str, object] = {
    "type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 128.0,
    "original_max_position_embeddings": 8_192,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale_all_dim": 1.0,
    "mscale": 1.0,
    "llama_4_scaling_beta": 0.1,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `mistral4` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    if keys.get("rope_parameters") is None:
        keys = replace(keys, values={**keys.values, "rope_parameters": _ROPE})
    moe_layers = layers_behind(keys, notes)
    config = model_config(
        keys,
        notes,
        family="Mistral 4",
        moe_layers=moe_layers,
        router=_router(keys, moe_layers) if moe_layers else None,
        rope=rope(keys, notes, interleaved=keys.flag("rope_interleave"), share=_rotary_share(keys)),
    )
    return replace(config, query_temperature=_query_temperature(keys))


def _rotary_share(keys: Keys) -> float:
    """What `partial_rotary_factor` says here: the rotary part of a whole head."""
    rotary, content = (keys.whole(f"qk_{part}_head_dim", most=WIDTH_LIMIT) for part in ("rope", "nope"))
    return rotary / (rotary + content)


def _router(keys: Keys, moe_layers: tuple[int, ...]) -> RouterConfig:
    experts, chosen = experts_and_choice(keys, moe_layers)
    groups, allowed = groups_and_choice(keys, experts=experts, chosen=chosen)
    if groups > 1 and experts // groups < 2:
        keys.refuse("n_group", "small enough for two experts or more in each group")
    return RouterConfig(
        "group_limited_top2",
        "softmax",
        experts,
        chosen,
        groups,
        allowed,
        normalise=keys.flag("norm_topk_prob"),
        scaling_factor=scaling_factor(keys),
        model_dtype_logits=True,
    )


def _query_temperature(keys: Keys) -> QueryTemperature | None:
    scaling = settings(keys)
    beta = scaling.number_or_none("llama_4_scaling_beta", most=1e6)
    return None if beta is None else QueryTemperature(beta, original_length(keys, scaling))
