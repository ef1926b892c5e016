"""GLM-4.7-Flash: DeepSeek-V3's mathematics; `mlp_layer_types` lists which layers have experts."""

from dataclasses import replace

from model.checkpoint.families.common import LAYER_LIMIT, layers_listed, model_config, sigmoid_router
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 154_880,
    "hidden_size": 2_048,
    "intermediate_size": 10_240,
    "moe_intermediate_size": 1_536,
    "num_hidden_layers": 47,
    "num_attention_heads": 20,
    "n_shared_experts": 1,
    "n_routed_experts": 64,
    "routed_scaling_factor": 1.8,
    "kv_lora_rank": 512,
    "q_lora_rank": 768,
    "qk_rope_head_dim": 64,
    "v_head_dim": 256,
    "qk_nope_head_dim": 192,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 4,
    "norm_topk_prob": True,
    "max_position_embeddings": 202_752,
    "rms_norm_eps": 1e-5,
    "rope_interleave": True,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `glm4_moe_lite` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    moe_layers = _moe_layers(keys, notes)
    return model_config(
        keys,
        notes,
        family="GLM-4.7-Flash",
        moe_layers=moe_layers,
        router=sigmoid_router(keys, notes, moe_layers),
        rope=rope(keys, notes, interleaved=keys.flag("rope_interleave")),
    )


def _moe_layers(keys: Keys, notes: list[str]) -> tuple[int, ...]:
    listed = layers_listed(keys)
    if listed is not None:
        return listed
    if keys.get("first_k_dense_replace") not in (None, 1):
        notes.append(
            "first_k_dense_replace has no effect in this family, as in transformers: without mlp_layer_types "
            "only layer 0 is dense."
        )
    return tuple(range(1, keys.whole("num_hidden_layers", most=LAYER_LIMIT)))
