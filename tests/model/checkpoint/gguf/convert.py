"""A tiny safetensors checkpoint rewritten as GGUF, the way llama.cpp's converter does it, by the gguf package."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, RopeScalingType, quants
from numpy.typing import NDArray
from safetensors.numpy import load_file

Arrays = dict[str, NDArray[np.float32]]
Change = Callable[[str, NDArray[Any]], Any]  # a tensor's new values, (name, values), or None to leave it out
_ATTENTION = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp",
}


def convert(
    folder: Path,
    path: Path,
    *,
    kind: str = "F32",
    split: bool = True,
    merged: bool = False,
    groups: bool = True,
    scoring: bool = True,
    parts: int = 1,
) -> Arrays:
    """Write `path`; returns by Hugging Face's names what its values mean once they are dequantised.

    `split`: kv_b in two halves. `merged`: gate and up of the experts in one tensor. Without `groups` and `scoring`
    as older converters did. `parts`: files of about the same number of tensors.
    """
    config = json.loads((folder / "config.json").read_text())
    tensors = {name: x.astype(np.float32) for name, x in load_file(folder / "model.safetensors").items()}
    writer = GGUFWriter(path, "deepseek2", split_max_tensors=0 if parts == 1 else -(-_count(tensors) // parts))
    _keys(writer, config, split=split, groups=groups, scoring=scoring)
    meant = dict(tensors)
    for name, (values, sources) in _tensors(tensors, config, split=split, merged=merged).items():
        exact = values.ndim == 1 or "ffn_gate_inp" in name
        stored, read = _stored(values, "F32" if exact else kind)
        writer.add_tensor(name, stored, raw_dtype=GGMLQuantizationType["F32" if exact else kind])
        sources(meant, read)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant


def _stored(values: NDArray[np.float32], kind: str) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """As it is written, and what reading it should give."""
    if kind in ("F32", "F16"):
        stored = values.astype(np.float32 if kind == "F32" else np.float16)
        return stored, stored.astype(np.float32)
    number = GGMLQuantizationType[kind]
    # K quants the package can only read, not make.
    stored = quants.quantize(values, number) if kind in ("BF16", "Q8_0", "Q4_0") else _random_blocks(values, kind)
    return stored, quants.dequantize(stored, number)


def _random_blocks(values: NDArray[np.float32], kind: str) -> NDArray[np.uint8]:
    """Blocks of random integers with scales that give weights of about the right size."""
    sizes = {"Q4_K": (144, (0, 2), 15 * 40), "Q5_K": (176, (0, 2), 31 * 40), "Q6_K": (210, (208,), 32 * 80)}
    size, scales, largest = sizes[kind]
    blocks = np.random.default_rng(0).integers(0, 256, (values.size // 256, size), dtype=np.uint8)
    scale = np.float16(3 / largest / values.shape[-1] ** 0.5)
    for at in scales:
        blocks[:, at : at + 2] = np.frombuffer(scale.tobytes(), np.uint8)
    return blocks.reshape(*values.shape[:-1], -1)


def rewritten(
    folder: Path,
    path: Path,
    *,
    as_kind: str | None = None,
    change: Change = lambda _name, values: values,
    keys: dict[str, Any] | None = None,
    top: dict[str, Any] | None = None,
    architecture: str = "deepseek2",
) -> Path:
    """A sound file with something changed: a tensor left out, renamed or cut, a key of another value."""
    convert(folder, path)
    reader = GGUFReader(path)
    writer = GGUFWriter(path.with_name("changed.gguf"), architecture)
    given = {f"deepseek2.{name}": value for name, value in (keys or {}).items()} | (top or {})
    for name, field in reader.fields.items():
        if not name.startswith(("GGUF.", "general.architecture")) and name not in given:
            writer.add_key_value(name, field.contents(), field.types[0])
    for name, value in given.items():
        kinds = {str: GGUFValueType.STRING, float: GGUFValueType.FLOAT32, int: GGUFValueType.UINT32}
        writer.add_key_value(name, value, kinds[type(value)])
    for tensor in reader.tensors:
        new = change(tensor.name, np.array(tensor.data))
        if new is not None:
            name, values = new if isinstance(new, tuple) else (tensor.name, new)
            if as_kind is not None and name == "output.weight":
                stored = np.zeros((values.shape[0], values.shape[1] // 32 * 24), np.uint8)
                writer.add_tensor(name, stored, raw_dtype=GGMLQuantizationType[as_kind])
            else:
                writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.with_name("changed.gguf")


def _count(tensors: Arrays) -> int:
    return len({name for name in tensors if ".experts." not in name}) + 6


def _keys(writer: GGUFWriter, config: dict[str, Any], *, split: bool, groups: bool, scoring: bool) -> None:
    rope = config["rope_parameters"]
    heads, rank = config["num_attention_heads"], config["kv_lora_rank"]
    key_width = config["qk_nope_head_dim"] + config["qk_rope_head_dim"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(1 if split else heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(config["qk_rope_head_dim"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        if rope.get("mscale_all_dim"):
            writer.add_rope_scaling_yarn_log_mul(0.1 * rope["mscale_all_dim"])
    if config["q_lora_rank"] is not None:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(rank)
    writer.add_key_length(rank + config["qk_rope_head_dim"] if split else key_width)
    writer.add_value_length(rank if split else config["v_head_dim"])
    if split:
        writer.add_key_length_mla(key_width)
        writer.add_value_length_mla(config["v_head_dim"])
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_expert_count(config["n_routed_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    if groups:
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])
    if config["model_type"] == "deepseek_v3":
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        if scoring:
            writer.add_uint32("deepseek2.expert_gating_func", 2)


def _tensors(tensors: Arrays, config: dict[str, Any], *, split: bool, merged: bool) -> dict[str, Any]:
    """GGUF name -> values, and a function that puts what was read under the old names."""
    found: dict[str, Any] = {}

    def keep(name: str, old: str) -> None:
        if old in tensors:
            found[name] = (tensors[old], lambda meant, read: meant.__setitem__(old, read))

    for name, old in (("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")):
        keep(f"{name}.weight", f"{old}.weight")
    for layer in range(config["num_hidden_layers"]):
        prefix, block = f"model.layers.{layer}.", f"blk.{layer}."
        for old, name in _ATTENTION.items():
            keep(f"{block}{name}.weight", f"{prefix}{old}.weight")
        keep(f"{block}exp_probs_b.bias", f"{prefix}mlp.gate.e_score_correction_bias")
        joint = f"{prefix}self_attn.kv_b_proj.weight"
        if split:
            found |= _halves(tensors[joint], joint, block, config)
        else:
            keep(f"{block}attn_kv_b.weight", joint)
        if f"{prefix}mlp.experts.0.up_proj.weight" in tensors:
            found |= _stacks(tensors, prefix, block, config["n_routed_experts"], merged=merged)
    return found


def _halves(joint: NDArray[np.float32], name: str, block: str, config: dict[str, Any]) -> dict[str, Any]:
    heads, content = config["num_attention_heads"], config["qk_nope_head_dim"]
    by_head = joint.reshape(heads, -1, joint.shape[-1])

    def put(part: slice, *, transposed: bool) -> Any:
        def into(meant: Arrays, read: NDArray[np.float32]) -> None:
            values = meant[name].reshape(by_head.shape).copy()
            values[:, part] = read.transpose(0, 2, 1) if transposed else read
            meant[name] = values.reshape(joint.shape)

        return into

    keys = np.ascontiguousarray(by_head[:, :content].transpose(0, 2, 1))
    values = np.ascontiguousarray(by_head[:, content:])
    return {
        f"{block}attn_k_b.weight": (keys, put(slice(content), transposed=True)),
        f"{block}attn_v_b.weight": (values, put(slice(content, None), transposed=False)),
    }


def _stacks(tensors: Arrays, prefix: str, block: str, experts: int, *, merged: bool) -> dict[str, Any]:
    groups = {"gate": ["gate_proj"], "up": ["up_proj"], "down": ["down_proj"]}
    if merged:
        groups = {"gate_up": ["gate_proj", "up_proj"], "down": ["down_proj"]}
    found: dict[str, Any] = {}
    for stem, parts in groups.items():
        names = [[f"{prefix}mlp.experts.{expert}.{part}.weight" for part in parts] for expert in range(experts)]
        values = np.stack([np.concatenate([tensors[name] for name in row]) for row in names])

        def into(meant: Arrays, read: NDArray[np.float32], names: list[list[str]] = names) -> None:
            for row, expert in zip(names, read, strict=True):
                meant.update(zip(row, np.split(expert, len(row)), strict=True))

        found[f"{block}ffn_{stem}_exps.weight"] = (values, into)
    return found
