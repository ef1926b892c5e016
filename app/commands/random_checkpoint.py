"""Checkpoints with random weights and true shapes, in Hugging Face layout, for benchmarks. Torch-free, deterministic.

Weights have unit gain, norms are near 1 and routers are decided, so that logits and choices are no near ties and
greedy tokens can be compared between programs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import DtypeName, ModelConfig, RopeConfig, RouterConfig
from model.problems import Problem
from model.shapes import Shape, tensor_shapes
from model.tensorfile import write_tensors

SEED = 7
SHARD_BYTES = 2**29
_STORED: dict[DtypeName, str] = {"float32": "F32", "bfloat16": "BF16"}

TINY = ModelConfig(
    family="DeepSeek-V2",
    model_type="deepseek_v2",
    vocab_size=8192,
    hidden_size=256,
    layers=8,
    heads=8,
    q_lora_rank=None,
    kv_lora_rank=64,
    qk_nope_head_dim=32,
    qk_rope_head_dim=16,
    v_head_dim=32,
    intermediate_size=1024,
    moe_intermediate_size=112,
    shared_experts=1,
    moe_layers=tuple(range(1, 8)),
    router=RouterConfig("greedy", "softmax", 16, 4),
    rope=RopeConfig(10_000.0),
    max_position_embeddings=32768,
)
# V2-Lite's proportions at a twenty-fifth of its size.
MID = replace(
    TINY,
    vocab_size=32000,
    hidden_size=1024,
    layers=10,
    heads=16,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    intermediate_size=5472,
    moe_intermediate_size=256,
    shared_experts=2,
    moe_layers=tuple(range(1, 10)),
    router=RouterConfig("greedy", "softmax", 64, 6),
)
# So little to multiply that the latents soon are most of what a token reads.
LONG = replace(
    TINY,
    vocab_size=512,
    hidden_size=64,
    layers=4,
    heads=4,
    kv_lora_rank=256,
    intermediate_size=128,
    moe_intermediate_size=32,
    moe_layers=(1, 2, 3),
    router=RouterConfig("greedy", "softmax", 8, 2),
)
SHAPES: dict[str, ModelConfig] = {"tiny": TINY, "mid": MID, "long": LONG}


def write_random_checkpoint(folder: Path, config: ModelConfig, *, dtype: DtypeName, seed: int = SEED) -> None:
    """Write config.json, shards of about 512 MB and their index. Raises Problem when the disk refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(folder / "config.json", config_json(config, dtype=dtype))
        weight_map: dict[str, str] = {}
        for number, names in enumerate(_shards(tensor_shapes(config), dtype)):
            name = f"model-{number:05}.safetensors"
            generator = np.random.default_rng((seed, number))
            values = {each: (_STORED[dtype], _values(each, shape, dtype, generator)) for each, shape in names.items()}
            write_tensors(folder / name, values, {"format": "pt"})
            weight_map |= dict.fromkeys(names, name)
        _write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    except OSError as error:
        reason = error.strerror or str(error)
        raise Problem(f"{folder} cannot hold a checkpoint ({reason}); free space or choose another folder.") from None


def config_json(config: ModelConfig, *, dtype: DtypeName) -> dict[str, Any]:
    """config.json of a greedy DeepSeek-V2, which is what the shapes above are; its keys are those of its own files."""
    assert config.router is not None
    fields = asdict(config)
    kept = (
        "model_type vocab_size hidden_size q_lora_rank kv_lora_rank qk_nope_head_dim qk_rope_head_dim v_head_dim "
        "intermediate_size moe_intermediate_size max_position_embeddings rms_norm_eps attention_bias "
        "tie_word_embeddings"
    )
    return {
        "architectures": ["DeepseekV2ForCausalLM"],
        **{name: fields[name] for name in kept.split()},
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "first_k_dense_replace": config.moe_layers[0],
        "moe_layer_freq": 1,
        "n_routed_experts": config.router.experts,
        "n_shared_experts": config.shared_experts,
        "num_experts_per_tok": config.router.experts_per_token,
        "n_group": 1,
        "topk_group": 1,
        "topk_method": "greedy",
        "scoring_func": "softmax",
        "norm_topk_prob": False,
        "routed_scaling_factor": config.router.scaling_factor,
        "rope_theta": config.rope.theta,
        "rope_scaling": None,
        "hidden_act": "silu",
        "torch_dtype": dtype,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _shards(shapes: Mapping[str, Shape], dtype: DtypeName) -> Iterator[dict[str, Shape]]:
    """The tensors in order, cut so that only one shard's values are ever in memory."""
    shard: dict[str, Shape] = {}
    size = 0
    for name, shape in shapes.items():
        shard[name] = shape
        size += int(np.prod(shape)) * (4 if dtype == "float32" else 2)
        if size >= SHARD_BYTES:
            yield shard
            shard, size = {}, 0
    if shard:
        yield shard


def _values(name: str, shape: Shape, dtype: DtypeName, generator: np.random.Generator) -> NDArray[np.generic]:
    noise = generator.standard_normal(shape, dtype=np.float32)
    if "norm" in name:
        noise *= np.float32(0.2)
        noise += np.float32(1)
    elif "embed_tokens" not in name:
        gain = 2.0 if ".mlp.gate." in name else 1.0  # a decided router
        noise *= np.float32(gain / shape[-1] ** 0.5)
    if dtype == "float32":
        return noise
    return (noise.view(np.uint32) >> 16).astype(np.uint16)  # cut, not rounded: random bits stay random


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
