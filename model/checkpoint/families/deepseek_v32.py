"""DeepSeek-V3.2: V3 with an indexer that picks the keys of each query once there are more than `index_topk`.

Up to so many tokens the indexer picks every key, so the model is V3; beyond, it is refused.
"""

from dataclasses import replace

from model.checkpoint.families.common import layers_behind, layers_listed, model_config, sigmoid_router
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import POSITION_LIMIT, rope
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
    "norm_topk_prob": True,
    "max_position_embeddings": 163_840,
    "rms_norm_eps": 1e-6,
    "index_topk": 2_048,
    "first_k_dense_replace": 3,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `deepseek_v32` config describes. Raises Problem."""
    return parse_indexed(replace(keys, defaults=DEFAULTS), notes, family="DeepSeek-V3.2")


def parse_indexed(keys: Keys, notes: list[str], *, family: str) -> ModelConfig:
    """V3 with an indexer, whichever layers compute it and whichever share it."""
    if keys.values.get("num_experts") is not None:  # an older name, which wins in transformers
        keys = replace(keys, values={**keys.values, "n_routed_experts": keys.values["num_experts"]})
    listed = layers_listed(keys)
    moe_layers = layers_behind(keys, notes) if listed is None else listed
    config = model_config(
        keys,
        notes,
        family=family,
        moe_layers=moe_layers,
        router=sigmoid_router(keys, notes, moe_layers),
        rope=rope(keys, notes, interleaved=True),
    )
    if config.q_lora_rank is None:
        keys.refuse("q_lora_rank", "a whole number, as this family always has a query LoRA")
    dense = keys.whole("index_topk", most=POSITION_LIMIT)
    notes.append(
        f"Attention is sparse beyond index_topk = {dense:,} tokens: the indexer is not modelled yet, so runs end there."
    )
    return replace(config, dense_attention_tokens=dense)


def canonical(stored: str) -> str | None:
    """The names are V3's; the indexer's tensors are not used."""
    return None if ".self_attn.indexer." in stored else stored
