"""A small sound checkpoint folder written without transformers, to be read, or to be damaged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.families.table import parse_config
from model.shapes import tensor_shapes
from model.tensorfile import write_tensors

CONFIG: dict[str, Any] = {
    "architectures": ["DeepseekV2ForCausalLM"],
    "model_type": "deepseek_v2",
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "moe_intermediate_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "n_shared_experts": 1,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "routed_scaling_factor": 1.0,
    "kv_lora_rank": 8,
    "q_lora_rank": 12,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 6,
    "v_head_dim": 5,
    "topk_method": "group_limited_greedy",
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000,
    "rope_scaling": None,
    "torch_dtype": "float32",
    "bos_token_id": 0,
    "eos_token_id": 1,
}
Tensors = dict[str, tuple[str, NDArray[np.generic]]]


def write_config(folder: Path, **changes: object) -> Path:
    """config.json with some keys changed."""
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder


def tensors_of(**changes: object) -> Tensors:
    """All tensors of the sample, float32."""
    random = np.random.default_rng(0)
    shapes = tensor_shapes(parse_config(CONFIG | changes, Path("config.json")).config)
    return {name: ("F32", random.standard_normal(shape).astype(np.float32)) for name, shape in shapes.items()}


def write_sample(folder: Path, **changes: object) -> Path:
    """A whole sound folder."""
    write_config(folder, **changes)
    write_tensors(folder / "model.safetensors", tensors_of(**changes), {"format": "pt"})
    return folder


def write_sharded(folder: Path, *, names: tuple[str, str] = ("a-1.safetensors", "a-2.safetensors")) -> Path:
    """The same in two files with an index."""
    write_config(folder)
    tensors = tensors_of()
    weight_map = {name: names[number % 2] for number, name in enumerate(tensors)}
    for file in names:
        write_tensors(folder / file, {name: x for name, x in tensors.items() if weight_map[name] == file})
    write_index(folder, weight_map)
    return folder


def write_index(folder: Path, weight_map: object) -> None:
    """The index of a sharded checkpoint."""
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def read_index(folder: Path) -> dict[str, str]:
    """The weight map of a sharded checkpoint."""
    weight_map: dict[str, str] = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    return weight_map
