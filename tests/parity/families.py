"""transformers' classes of every family, and the settings that make a tiny model of each use all it can do."""

from typing import Any, Literal, NamedTuple

import transformers
from transformers.models.kimi_k25.modeling_kimi_k25 import Kimi_K25ForConditionalGeneration
from transformers.models.mistral4.modeling_mistral4 import Mistral4ForCausalLM

Family = Literal[
    "v2",
    "v3",
    "glm4_moe",
    "glm4_moe_lite",
    "youtu",
    "axk1",
    "minicpm3",
    "mistral4",
    "mistral3",
    "longcat_flash",
    "deepseek_v32",
    "glm_moe_dsa",
    "kimi_k25",
]

# Widths are all different on purpose: a mixed-up axis cannot go unnoticed.
DENSE: dict[str, Any] = {
    "vocab_size": 257,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "kv_lora_rank": 32,
    "q_lora_rank": 24,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "max_position_embeddings": 256,
}
BASE: dict[str, Any] = DENSE | {
    "moe_intermediate_size": 24,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 3,
    "first_k_dense_replace": 1,
}
FAMILY: dict[Family, dict[str, Any]] = {
    "v2": {"n_group": 1, "topk_group": 1, "topk_method": "greedy", "routed_scaling_factor": 1.0},
    "v3": {"n_group": 4, "topk_group": 2, "norm_topk_prob": True, "routed_scaling_factor": 2.5},
}
_LISTED = {key: value for key, value in BASE.items() if key != "first_k_dense_replace"} | FAMILY["v3"]
_LATENT = ("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
_HALF_ROTATED = {"head_dim": 24, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}, "num_mtp_layers": 0}
_INDEXER = {"index_topk": 128, "index_head_dim": 16, "index_n_heads": 2}


def yarn(factor: float = 40.0, **overrides: Any) -> dict[str, Any]:
    """`rope_parameters` with YaRN from an original length of 64, so that 96 tokens exceed it."""
    return {
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": factor,
        "original_max_position_embeddings": 64,
        "beta_fast": 32,
        "beta_slow": 1,
        **overrides,
    }


def longrope(original: int = 64, **overrides: Any) -> dict[str, Any]:
    """`rope_parameters` with LongRoPE for the four rotated pairs of the tiny models."""
    return {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0, 1.5, 2.0, 1.2],
        "long_factor": [3.0, 9.0, 1.7, 25.0],
        "original_max_position_embeddings": original,
        **overrides,
    }


MISTRAL4 = (
    BASE
    | FAMILY["v3"]
    | {
        "rope_parameters": yarn(
            4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.3
        )
    }
)


class Oracle(NamedTuple):
    """What transformers calls a family, with all settings of the tiny model but the overrides of a test."""

    config: Any
    model: Any
    settings: dict[str, Any]


ORACLES: dict[Family, Oracle] = {
    "v2": Oracle(transformers.DeepseekV2Config, transformers.DeepseekV2ForCausalLM, BASE | FAMILY["v2"]),
    "v3": Oracle(transformers.DeepseekV3Config, transformers.DeepseekV3ForCausalLM, BASE | FAMILY["v3"]),
    "glm4_moe_lite": Oracle(transformers.Glm4MoeLiteConfig, transformers.Glm4MoeLiteForCausalLM, _LISTED),
    "glm4_moe": Oracle(
        transformers.Glm4MoeConfig,
        transformers.Glm4MoeForCausalLM,
        {key: value for key, value in BASE.items() if key not in _LATENT} | FAMILY["v3"] | _HALF_ROTATED,
    ),
    "youtu": Oracle(transformers.YoutuConfig, transformers.YoutuForCausalLM, DENSE),
    "axk1": Oracle(transformers.AXK1Config, transformers.AXK1ForCausalLM, BASE | FAMILY["v3"]),
    "minicpm3": Oracle(
        transformers.MiniCPM3Config,
        transformers.MiniCPM3ForCausalLM,
        # Embeddings so small and branches so large that attention decides what comes out.
        DENSE | {"scale_emb": 0.5, "scale_depth": 3.0, "dim_model_base": 16, "tie_word_embeddings": False},
    ),
    "mistral4": Oracle(
        transformers.Mistral4Config,
        Mistral4ForCausalLM,
        MISTRAL4,
    ),
    "longcat_flash": Oracle(
        transformers.LongcatFlashConfig,
        transformers.LongcatFlashForCausalLM,
        {key: value for key, value in DENSE.items() if key not in ("intermediate_size", "num_hidden_layers")}
        | {
            "num_layers": 2,
            "head_dim": 8,
            "ffn_hidden_size": 96,
            "expert_ffn_hidden_size": 24,
            "n_routed_experts": 8,
            "zero_expert_num": 4,
            "moe_topk": 3,
            "routed_scaling_factor": 1.5,
        },
    ),
    "deepseek_v32": Oracle(
        transformers.DeepseekV32Config, transformers.DeepseekV32ForCausalLM, BASE | FAMILY["v3"] | _INDEXER
    ),
    "glm_moe_dsa": Oracle(
        transformers.GlmMoeDsaConfig,
        transformers.GlmMoeDsaForCausalLM,
        BASE | FAMILY["v3"] | _INDEXER | {"indexer_types": ["full", "shared", "shared"]},
    ),
    "mistral3": Oracle(
        transformers.Mistral3Config,
        transformers.Mistral3ForConditionalGeneration,
        MISTRAL4,
    ),
    "kimi_k25": Oracle(transformers.Kimi_K25Config, Kimi_K25ForConditionalGeneration, BASE | FAMILY["v3"]),
}
# The text part's model type, and the smallest picture encoder beside it.
PICTURES: dict[Family, tuple[str, dict[str, Any]]] = {
    "kimi_k25": (
        "deepseek_v3",
        {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "pos_emb_height": 4,
            "pos_emb_width": 4,
        },
    ),
    "mistral3": (
        "mistral4",
        {
            "model_type": "pixtral",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "head_dim": 16,
            "image_size": 28,
            "patch_size": 14,
        },
    ),
}


def new_model(family: Family, overrides: dict[str, Any]) -> Any:
    """transformers' tiny model of a family, as initialised."""
    oracle = ORACLES[family]
    settings = oracle.settings | overrides
    if family in PICTURES:
        model_type, pictures = PICTURES[family]
        text = settings | {"model_type": model_type}
        settings = {"text_config": text, "vision_config": pictures, "tie_word_embeddings": False}
        if family == "kimi_k25":
            settings["projection_hidden_size"] = 32
    return oracle.model(oracle.config(**settings))
