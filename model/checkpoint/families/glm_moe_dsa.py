"""GLM-5: DeepSeek-V3.2's mathematics in other sizes; layers may share an indexer, which changes nothing here."""

from dataclasses import replace

from model.checkpoint.families.deepseek_v32 import parse_indexed
from model.checkpoint.families.keys import Keys
from model.config import ModelConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 154_880,
    "hidden_size": 6_144,
    "intermediate_size": 12_288,
    "moe_intermediate_size": 2_048,
    "num_hidden_layers": 78,
    "num_attention_heads": 64,
    "n_shared_experts": 1,
    "n_routed_experts": 256,
    "routed_scaling_factor": 2.5,
    "kv_lora_rank": 512,
    "q_lora_rank": 2_048,
    "qk_rope_head_dim": 64,
    "v_head_dim": 256,
    "qk_nope_head_dim": 192,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
    "max_position_embeddings": 202_752,
    "rms_norm_eps": 1e-5,
    "index_topk": 2_048,
    "first_k_dense_replace": 3,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `glm_moe_dsa` config describes. Raises Problem."""
    return parse_indexed(replace(keys, defaults=DEFAULTS), notes, family="GLM-5")
