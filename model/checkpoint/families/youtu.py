"""Youtu-LLM: DeepSeek-V3's attention with dense MLPs only and, by default, a tied head."""

from dataclasses import replace

from model.checkpoint.families.common import model_config
from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import rope
from model.config import ModelConfig

DEFAULTS: dict[str, object] = {
    "vocab_size": 128_256,
    "hidden_size": 2_048,
    "intermediate_size": 6_144,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "kv_lora_rank": 512,
    "q_lora_rank": 1_536,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "qk_nope_head_dim": 128,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "rope_interleave": True,
}


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The model that a `youtu` config describes. Raises Problem."""
    keys = replace(keys, defaults=DEFAULTS)
    return model_config(keys, notes, family="Youtu", rope=rope(keys, notes, interleaved=keys.flag("rope_interleave")))
