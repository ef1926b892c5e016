"""A.X-K1: DeepSeek-V3's mathematics, and a norm on what a layer's experts answer, shared and routed together."""

from collections.abc import Container
from dataclasses import replace

from model.checkpoint.families.common import LAYER_LIMIT, layers_listed, model_config, sigmoid_router
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 163_840,
    "hidden_size": 7_168,
    "intermediate_size": 18_432,
    "moe_intermediate_size": 2_048,
    "num_hidden_layers": 61,
    "num_attention_heads": 64,
    "n_shared_experts": 1,
    "n_routed_experts": 192,
    "routed_scaling_factor": 2.5,
    "kv_lora_rank": 512,
    "q_lora_rank": 1_536,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "qk_nope_head_dim": 128,
    "n_group": 8,
    "topk_group": 4,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
    "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6,
    "rope_interleave": True,
}
_WITHOUT_LIST = {"first_k_dense_replace": 1, "moe_layer_freq": 1}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that an `axk1` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    moe_layers = _moe_layers(replace(keys, defaults=DEFAULTS | _WITHOUT_LIST))
    config = model_config(
        keys,
        notes,
        family="A.X-K1",
        moe_layers=moe_layers,
        router=sigmoid_router(keys, notes, moe_layers),
        rope=rope(keys, notes, interleaved=keys.flag("rope_interleave")),
    )
    if config.q_lora_rank is None:
        keys.refuse("q_lora_rank", "a whole number, as this family always has a query LoRA")
    return replace(config, moe_norm=True)


def settle(config: ModelConfig, stored: Container[str | None]) -> ModelConfig:
    """The released checkpoints have no correction bias; choosing by plain scores is what a bias of 0 does."""
    layers = config.moe_layers
    if config.router is None or f"model.layers.{layers[0]}.mlp.gate.e_score_correction_bias" in stored:
        return config
    return replace(config, router=replace(config.router, method="group_limited_top2"))


def _moe_layers(keys: Keys) -> tuple[int, ...]:
    listed = layers_listed(keys)
    if listed is not None:
        return listed
    layers = keys.whole("num_hidden_layers", most=LAYER_LIMIT)
    dense = keys.whole("first_k_dense_replace", least=0, most=LAYER_LIMIT)
    every = keys.whole("moe_layer_freq", most=LAYER_LIMIT)
    return tuple(layer for layer in range(dense, layers) if layer % every == 0)
