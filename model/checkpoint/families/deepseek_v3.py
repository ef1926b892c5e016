"""DeepSeek-V3, R1, Moonlight and Kimi-K2: sigmoid router with a correction bias, groups by their two best experts."""

from dataclasses import replace

from model.checkpoint.families.deepseek import experts_and_choice, groups_and_choice, model_config, moe_layers
from model.checkpoint.families.keys import Keys
from model.config import ModelConfig, RouterConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 129_280,
    "hidden_size": 7_168,
    "intermediate_size": 18_432,
    "moe_intermediate_size": 2_048,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "n_shared_experts": 1,
    "n_routed_experts": 256,
    "routed_scaling_factor": 2.5,
    "kv_lora_rank": 512,
    "q_lora_rank": 1_536,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "qk_nope_head_dim": 128,
    "n_group": 8,
    "topk_group": 4,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "norm_topk_prob": True,
    "max_position_embeddings": 4_096,
    "rms_norm_eps": 1e-6,
    "rope_interleave": True,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `deepseek_v3` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    return model_config(
        keys,
        family="DeepSeek-V3",
        router=_router(keys, notes) if moe_layers(keys) else None,
        interleaved=keys.flag("rope_interleave"),
        mlp_bias=False,
        notes=notes,
    )


def _router(keys: Keys, notes: list[str]) -> RouterConfig:
    for key, only in (("scoring_func", "sigmoid"), ("topk_method", "noaux_tc")):
        if keys.get(key) not in (None, only):
            notes.append(f"{key} has no effect in this family: it is always {only}.")
    experts, chosen = experts_and_choice(keys)
    groups, allowed = groups_and_choice(keys, experts=experts, chosen=chosen)
    if groups > 1 and experts // groups < 2:
        keys.refuse("n_group", "small enough for two experts or more in each group")
    return RouterConfig(
        "noaux_tc",
        "sigmoid",
        experts,
        chosen,
        groups,
        allowed,
        normalise=keys.flag("norm_topk_prob"),
        scaling_factor=keys.number("routed_scaling_factor", most=1e6),
    )
