"""DeepSeek-V3, R1, Moonlight and Kimi-K2: sigmoid router with a correction bias, groups by their two best experts."""

from dataclasses import replace

from model.checkpoint.families.common import layers_behind, model_config, sigmoid_router
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig

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
    moe_layers = layers_behind(keys, notes)
    return model_config(
        keys,
        notes,
        family="DeepSeek-V3",
        moe_layers=moe_layers,
        router=sigmoid_router(keys, notes, moe_layers),
        rope=rope(keys, notes, interleaved=keys.flag("rope_interleave")),
    )
