"""The study's checkpoints as ordinary folders: GLM-4.5's layout for MHA, GQA and MQA, DeepSeek-V3's for MLA."""

from pathlib import Path
from typing import Any

from torch import Tensor

from model.config import ModelConfig
from model.training.export import config_json, write_folder
from model.training.recipe import Recipe

LATENT_KEYS = ("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
DEEPSEEK_KEYS = ("aux_loss_alpha", "mlp_bias", "moe_layer_freq", "pretraining_tp", "scoring_func", "seq_aux")
ARCHITECTURES = {"glm4_moe": "Glm4MoeForCausalLM", "deepseek_v3": "DeepseekV3ForCausalLM"}


def export(
    folder: Path, *, config: ModelConfig, recipe: Recipe, weights: dict[str, Tensor], tokenizer_file: Path
) -> None:
    """Write config, weights and tokenizer; a tied head not at all."""
    values = study_config_json(config, recipe)
    write_folder(folder, config=config, values=values, weights=weights, tokenizer_file=tokenizer_file)


def study_config_json(config: ModelConfig, recipe: Recipe) -> dict[str, Any]:
    """config.json with the keys of the family's own files."""
    values = config_json(config, recipe) | {
        "architectures": [ARCHITECTURES[config.model_type]],
        "num_nextn_predict_layers": 0,
    }
    if config.kv_heads is None:
        return values | {"rope_interleave": config.rope.interleaved}
    values |= {
        "head_dim": config.qk_head_dim,
        "num_key_value_heads": config.kv_heads,
        "partial_rotary_factor": config.qk_rope_head_dim / config.qk_head_dim,
        "use_qk_norm": False,
    }
    return {key: values[key] for key in sorted(values) if key not in (*LATENT_KEYS, *DEEPSEEK_KEYS)}
