"""Tiny checkpoints of V2's and V3's shape, random and written without transformers, every part made to matter."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.families.table import parse_config
from model.shapes import tensor_shapes
from model.tensorfile import write_tensors
from tests.model.checkpoint.sample import CONFIG, write_config

SIZES: dict[str, Any] = {
    "vocab_size": 257,
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "kv_lora_rank": 32,
    "q_lora_rank": 24,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "max_position_embeddings": 1024,
    "eos_token_id": None,
}


def yarn(**mscales: float) -> dict[str, Any]:
    return {
        "type": "yarn",
        "factor": 40,
        "original_max_position_embeddings": 64,
        "beta_fast": 32,
        "beta_slow": 1,
        **mscales,
    }


MODELS: dict[str, dict[str, Any]] = {
    "v2 without q lora": {
        "q_lora_rank": None,
        "topk_method": "greedy",
        "n_group": 1,
        "topk_group": 1,
        "n_shared_experts": 2,
        "rope_scaling": yarn(mscale=0.707, mscale_all_dim=0.707),
    },
    "v2 groups": {"n_group": 4, "topk_group": 2, "routed_scaling_factor": 16.0, "attention_bias": True},
    "v3": {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
        "norm_topk_prob": True,
        "n_group": 4,
        "topk_group": 2,
        "routed_scaling_factor": 2.5,
        "rope_scaling": yarn(mscale=1.0, mscale_all_dim=1.0),
    },
}


def write_checkpoint(folder: Path, changes: dict[str, Any]) -> None:
    """config.json and weights: norms around 1, biases around 0, decided routers, all else of unit gain."""
    write_config(folder, **(SIZES | changes))
    config = parse_config(CONFIG | SIZES | changes, folder / "config.json").config
    random = np.random.default_rng(0)
    tensors = {name: ("F32", _values(name, shape, random)) for name, shape in tensor_shapes(config).items()}
    write_tensors(folder / "model.safetensors", tensors, {"format": "pt"})


def _values(name: str, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.generic]:
    noise = random.standard_normal(shape).astype(np.float32)
    if "norm" in name:
        return 1 + np.float32(0.2) * noise
    if "bias" in name:
        return np.float32(0.1) * noise
    if "embed_tokens" in name:
        return noise
    gain = 2.0 if ".mlp.gate." in name else 1.0
    values: NDArray[np.generic] = noise * np.float32(gain / shape[-1] ** 0.5)
    return values
