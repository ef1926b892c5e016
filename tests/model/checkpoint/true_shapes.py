"""Checkpoints with the true shapes of published models, as files with headers and holes where the weights would be.

Shapes are written out from the published configs by hand, not taken from `model.shapes`.
"""

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

Stored = tuple[str, tuple[int, ...]]  # safetensors dtype name, shape
Kind = Literal["bf16", "fp8", "int4"]
_BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "I32": 4}
_SHARD_BYTES = 4.3e9

_COMMON: dict[str, Any] = {
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "attention_bias": False,
    "torch_dtype": "bfloat16",
}
_YARN = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1}
_FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
INT4 = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "quantization_status": "compressed",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {
                "num_bits": 4,
                "type": "int",
                "symmetric": True,
                "strategy": "group",
                "group_size": 32,
                "actorder": None,
                "dynamic": False,
            },
        }
    },
    "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*", "re:.*mlp\\.(gate|up|gate_up|down)_proj.*"],
}
_V3 = _COMMON | {
    "model_type": "deepseek_v3",
    "vocab_size": 129_280,
    "hidden_size": 7168,
    "intermediate_size": 18_432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "q_lora_rank": 1536,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "n_group": 8,
    "topk_group": 4,
    "topk_method": "noaux_tc",
    "scoring_func": "sigmoid",
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
    "rope_theta": 10_000,
    "rope_scaling": _YARN | {"mscale": 1.0, "mscale_all_dim": 1.0},
    "max_position_embeddings": 163_840,
}
_K2 = _V3 | {
    "model_type": "kimi_k2",
    "vocab_size": 163_840,
    "num_attention_heads": 64,
    "n_routed_experts": 384,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "routed_scaling_factor": 2.827,
    "rope_theta": 50_000,
    "rope_scaling": _YARN | {"factor": 32, "beta_fast": 1, "mscale": 1.0, "mscale_all_dim": 1.0},
    "max_position_embeddings": 131_072,
}
_V2 = _COMMON | {
    "model_type": "deepseek_v2",
    "vocab_size": 102_400,
    "hidden_size": 5120,
    "intermediate_size": 12_288,
    "moe_intermediate_size": 1536,
    "num_hidden_layers": 60,
    "num_attention_heads": 128,
    "q_lora_rank": 1536,
    "n_routed_experts": 160,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "first_k_dense_replace": 1,
    "n_group": 8,
    "topk_group": 3,
    "topk_method": "group_limited_greedy",
    "scoring_func": "softmax",
    "norm_topk_prob": False,
    "routed_scaling_factor": 16.0,
    "rope_theta": 10_000,
    "rope_scaling": _YARN | {"mscale": 0.707, "mscale_all_dim": 0.707},
    "max_position_embeddings": 163_840,
}
_V2_LITE = _V2 | {
    "hidden_size": 2048,
    "intermediate_size": 10_944,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "q_lora_rank": None,
    "n_routed_experts": 64,
    "topk_method": "greedy",
    "n_group": 1,
    "topk_group": 1,
    "routed_scaling_factor": 1.0,
}


class Published(NamedTuple):
    """A config, and how its weights are stored."""

    config: dict[str, Any]
    kind: Kind


MODELS = {
    "DeepSeek-V3": Published(_V3 | {"quantization_config": _FP8}, "fp8"),
    "DeepSeek-V2": Published(_V2, "bf16"),
    "DeepSeek-V2-Lite": Published(_V2_LITE, "bf16"),
    "Kimi-K2": Published(_K2 | {"quantization_config": _FP8}, "fp8"),
    "Kimi-K2-Thinking": Published(_K2 | {"quantization_config": INT4}, "int4"),
}


def write_true_shapes(folder: Path, name: str) -> int:
    """All of a published checkpoint but its weights, in shards of some 4.3 GB; returns how many tensors it has."""
    published = MODELS[name]
    (folder / "config.json").write_text(json.dumps(published.config))
    shards: list[dict[str, Stored]] = [{}]
    filled = 0
    for tensor, stored in _tensors(published):
        if filled > _SHARD_BYTES:
            shards.append({})
            filled = 0
        shards[-1][tensor] = stored
        filled += _size(stored)
    weight_map: dict[str, str] = {}
    for number, tensors in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):06}.safetensors"
        _write_hole(folder / file, tensors)
        weight_map |= dict.fromkeys(tensors, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return len(weight_map)


def _write_hole(path: Path, tensors: dict[str, Stored]) -> None:
    header, end = {}, 0
    for tensor, (dtype, shape) in tensors.items():
        start, end = end, end + _size((dtype, shape))
        header[tensor] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # as the safetensors library does, so that values are aligned
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def _size(stored: Stored) -> int:
    return prod(stored[1]) * _BYTES[stored[0]]


def _tensors(published: Published) -> Iterator[tuple[str, Stored]]:
    config, kind = published
    width = config["hidden_size"]
    yield "model.embed_tokens.weight", ("BF16", (config["vocab_size"], width))
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", ("BF16", (width,))
        yield f"{prefix}.post_attention_layernorm.weight", ("BF16", (width,))
        yield from _attention(config, f"{prefix}.self_attn", "bf16" if kind == "int4" else kind)
        yield from _feed_forward(config, f"{prefix}.mlp", layer, kind)
    yield "model.norm.weight", ("BF16", (width,))
    yield "lm_head.weight", ("BF16", (config["vocab_size"], width))


def _attention(config: dict[str, Any], prefix: str, kind: Kind) -> Iterator[tuple[str, Stored]]:
    width, heads, query = config["hidden_size"], config["num_attention_heads"], config["q_lora_rank"]
    if query is None:
        yield from _matrix(f"{prefix}.q_proj", heads * 192, width, kind)
    else:
        yield from _matrix(f"{prefix}.q_a_proj", query, width, kind)
        yield f"{prefix}.q_a_layernorm.weight", ("BF16", (query,))
        yield from _matrix(f"{prefix}.q_b_proj", heads * 192, query, kind)
    yield from _matrix(f"{prefix}.kv_a_proj_with_mqa", 576, width, kind)
    yield f"{prefix}.kv_a_layernorm.weight", ("BF16", (512,))
    yield from _matrix(f"{prefix}.kv_b_proj", heads * 256, 512, kind)
    yield from _matrix(f"{prefix}.o_proj", width, heads * 128, kind)


def _feed_forward(config: dict[str, Any], prefix: str, layer: int, kind: Kind) -> Iterator[tuple[str, Stored]]:
    width, expert_width = config["hidden_size"], config["moe_intermediate_size"]
    experts_only: Kind = "bf16" if kind == "int4" else kind
    if layer < config["first_k_dense_replace"]:
        yield from _mlp(prefix, config["intermediate_size"], width, experts_only)
        return
    yield f"{prefix}.gate.weight", ("BF16", (config["n_routed_experts"], width))
    if config["topk_method"] == "noaux_tc":
        yield f"{prefix}.gate.e_score_correction_bias", ("F32", (config["n_routed_experts"],))
    for expert in range(config["n_routed_experts"]):
        yield from _mlp(f"{prefix}.experts.{expert}", expert_width, width, kind)
    yield from _mlp(f"{prefix}.shared_experts", config["n_shared_experts"] * expert_width, width, experts_only)


def _mlp(prefix: str, inner: int, width: int, kind: Kind) -> Iterator[tuple[str, Stored]]:
    yield from _matrix(f"{prefix}.gate_proj", inner, width, kind)
    yield from _matrix(f"{prefix}.up_proj", inner, width, kind)
    yield from _matrix(f"{prefix}.down_proj", width, inner, kind)


def _matrix(name: str, rows: int, columns: int, kind: Kind) -> Iterator[tuple[str, Stored]]:
    if kind == "bf16":
        yield f"{name}.weight", ("BF16", (rows, columns))
    elif kind == "fp8":
        yield f"{name}.weight", ("F8_E4M3", (rows, columns))
        yield f"{name}.weight_scale_inv", ("F32", ((rows + 127) // 128, (columns + 127) // 128))
    else:
        yield f"{name}.weight_packed", ("I32", (rows, columns // 8))
        yield f"{name}.weight_scale", ("BF16", (rows, columns // 32))
        yield f"{name}.weight_shape", ("I32", (2,))
