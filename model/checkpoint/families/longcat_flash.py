"""LongCat-Flash: two attention blocks a layer, late experts, and zero experts that give back what they get.

One layer becomes two blocks: the first has the experts beside its dense MLP, and their answer joins at
the end of the second (arXiv 2509.01322, §2). Queries and c_kv are scaled for their ranks.
"""

import re
from dataclasses import replace

from model.checkpoint.families.common import (
    EXPERT_LIMIT,
    LAYER_LIMIT,
    experts_and_choice,
    model_config,
    scaling_factor,
)
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig, RouterConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 131_072,
    "hidden_size": 6_144,
    "num_layers": 28,
    "num_attention_heads": 64,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-5,
    "ffn_hidden_size": 12_288,
    "q_lora_rank": 1_536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "moe_topk": 12,
    "n_routed_experts": 512,
    "zero_expert_num": 256,
    "expert_ffn_hidden_size": 2_048,
    "routed_scaling_factor": 6.0,
    "rope_theta": 10_000_000.0,
}
# What the other families call the same thing.
_SAME = {
    "intermediate_size": "ffn_hidden_size",
    "moe_intermediate_size": "expert_ffn_hidden_size",
    "num_experts_per_tok": "moe_topk",
}
_BLOCK = re.compile(
    r"model\.layers\.(\d+)\.(self_attn|mlps|input_layernorm|post_attention_layernorm)\.([01])\.(.+)",
)
_EXPERTS = re.compile(r"model\.layers\.(\d+)\.mlp\.(.+)")


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `longcat_flash` config describes. Raises Problem."""
    keys = _renamed(replace(keys, defaults=DEFAULTS))
    blocks = 2 * keys.whole("num_layers", most=LAYER_LIMIT // 2)
    moe_layers = tuple(range(0, blocks, 2))
    config = model_config(
        replace(keys, values={**keys.values, "num_hidden_layers": blocks}),
        notes,
        family="LongCat-Flash",
        moe_layers=moe_layers,
        router=_router(keys, notes, moe_layers),
        rope=rope(keys, notes, interleaved=True),
    )
    if config.q_lora_rank is None:
        keys.refuse("q_lora_rank", "a whole number, as this family always has a query LoRA")
    for key in ("mla_scale_q_lora", "mla_scale_kv_lora"):
        if key in keys.values and not keys.flag(key):
            notes.append(f"{key} = false has no effect, as in transformers: latents are always scaled for their rank.")
    return replace(
        config,
        query_scale=(config.hidden_size / config.q_lora_rank) ** 0.5,
        c_kv_scale=(config.hidden_size / config.kv_lora_rank) ** 0.5,
        shortcut_moe=True,
    )


def canonical(stored: str) -> str | None:
    """Layer i's first and second blocks are layers 2i and 2i + 1; its experts belong to the first."""
    if match := _BLOCK.fullmatch(stored):
        layer, kind, half, rest = int(match[1]), match[2], int(match[3]), match[4]
        return f"model.layers.{2 * layer + half}.{'mlp' if kind == 'mlps' else kind}.{rest}"
    if match := _EXPERTS.fullmatch(stored):
        rest = match[2].replace("router.classifier.", "gate.").replace("router.", "gate.")
        return None if rest == "gate.bias" else f"model.layers.{2 * int(match[1])}.mlp.{rest}"
    return None if stored.startswith("model.mtp.") else stored


def _renamed(keys: Keys) -> Keys:
    """The names that the other families use beside this one's own, which win, as in transformers."""
    values, defaults = dict(keys.values), dict(keys.defaults)
    for common, own in _SAME.items():
        defaults[common] = defaults.pop(own)
        if own in values:
            values[common] = values[own]
    if values.get("num_layers") is None and type(values.get("num_hidden_layers")) is int:
        values["num_layers"] = keys.whole("num_hidden_layers", most=LAYER_LIMIT) // 2
    return replace(keys, values=values, defaults=defaults)


def _router(keys: Keys, notes: list[str], moe_layers: tuple[int, ...]) -> RouterConfig:
    stored, chosen = experts_and_choice(keys, moe_layers)
    zero = keys.whole_or_none("zero_expert_num", most=EXPERT_LIMIT) or 0
    if keys.get("zero_expert_type") not in (None, "identity"):
        keys.refuse("zero_expert_type", "identity")
    if keys.flag("router_bias"):
        notes.append("router_bias has no effect in this family, as in transformers: router logits get no bias.")
    return RouterConfig(
        "noaux_tc", "softmax", stored + zero, chosen, scaling_factor=scaling_factor(keys), zero_experts=zero
    )
