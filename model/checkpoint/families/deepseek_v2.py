"""DeepSeek-V2 and V2-Lite: softmax router, greedy or limited to the best expert groups; RoPE in neighbouring pairs."""

from dataclasses import replace

from model.checkpoint.families.common import (
    experts_and_choice,
    groups_and_choice,
    layers_behind,
    model_config,
    scaling_factor,
)
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig, RouterConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 102_400,
    "hidden_size": 4_096,
    "intermediate_size": 11_008,
    "moe_intermediate_size": 1_407,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "n_shared_experts": 2,
    "n_routed_experts": 64,
    "routed_scaling_factor": 1.0,
    "kv_lora_rank": 512,
    "q_lora_rank": 1_536,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "qk_nope_head_dim": 128,
    "topk_method": "greedy",
    "first_k_dense_replace": 0,
    "max_position_embeddings": 2_048,
    "rms_norm_eps": 1e-6,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `deepseek_v2` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    heads, width = keys.get("num_attention_heads"), keys.get("hidden_size")
    if isinstance(heads, int) and isinstance(width, int) and heads > 0 and width % heads:
        keys.refuse("num_attention_heads", f"a divisor of hidden_size = {width}")
    moe_layers = layers_behind(keys, notes)
    return model_config(
        keys,
        notes,
        family="DeepSeek-V2",
        moe_layers=moe_layers,
        router=_router(keys, notes, moe_layers) if moe_layers else None,
        rope=rope(keys, notes, interleaved=True),
        mlp_bias=keys.flag("mlp_bias"),
    )


def _router(keys: Keys, notes: list[str], moe_layers: tuple[int, ...]) -> RouterConfig:
    if keys.flag("norm_topk_prob"):
        notes.append(
            "norm_topk_prob is true but has no effect in this family, as in transformers; "
            "DeepSeek's own code normalises instead of scaling, and vLLM does both."
        )
    if keys.get("scoring_func") not in (None, "softmax"):
        notes.append("scoring_func has no effect in this family: router scores are a softmax, as in transformers.")
    experts, chosen = experts_and_choice(keys, moe_layers)
    method = keys.word("topk_method", "greedy", "group_limited_greedy")
    if method == "greedy":
        return RouterConfig("greedy", "softmax", experts, chosen, scaling_factor=scaling_factor(keys))
    if keys.get("n_group") is None:
        keys.refuse("n_group", "a number of expert groups, since topk_method is group_limited_greedy")
    groups, allowed = groups_and_choice(keys, experts=experts, chosen=chosen)
    if groups > 1:
        notes.append("Expert groups count by their best expert, as in transformers; llama.cpp adds up the two best.")
    return RouterConfig(
        "group_limited_greedy", "softmax", experts, chosen, groups, allowed, scaling_factor=scaling_factor(keys)
    )
