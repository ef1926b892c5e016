"""From the tensors of GGUF files to those of `model.shapes`, each with where its values are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from model.checkpoint.formats.floats import FLOATS, StoredFloats
from model.checkpoint.gguf.blocks import BLOCK_TYPES, StoredBlocks, StoredHalves
from model.checkpoint.gguf.container import type_sizes
from model.checkpoint.mapped import MappedFile
from model.checkpoint.stored import Stored
from model.config import ModelConfig
from model.problems import Problem
from model.shapes import Shape, tensor_shapes
from model.tensorfile import Entry

_SHOWN = 4
_BLOCK = re.compile(r"blk\.(0|[1-9]\d{0,3})\.(.+)")
_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_PARTS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_q_a": "self_attn.q_a_proj",
    "attn_q_a_norm": "self_attn.q_a_layernorm",
    "attn_q_b": "self_attn.q_b_proj",
    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
    "attn_kv_a_norm": "self_attn.kv_a_layernorm",
    "attn_kv_b": "self_attn.kv_b_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_shexp": "mlp.shared_experts.gate_proj",
    "ffn_up_shexp": "mlp.shared_experts.up_proj",
    "ffn_down_shexp": "mlp.shared_experts.down_proj",
}
# Stacked experts [E, rows, columns]: which projections one expert's rows are, one after another.
_STACKS = {
    "ffn_gate_exps.weight": ("gate_proj",),
    "ffn_up_exps.weight": ("up_proj",),
    "ffn_down_exps.weight": ("down_proj",),
    "ffn_gate_up_exps.weight": ("gate_proj", "up_proj"),
}
_BIAS_NAMES = ("exp_probs_b.bias", "exp_probs_b")  # the second in some early files


@dataclass(frozen=True, slots=True)
class Placed:
    """One tensor of a file: which file, from which byte on, and how the container describes it."""

    file: MappedFile
    start: int
    entry: Entry

    def part(self, first: int, shape: Shape) -> Stored:
        """The rows of `shape` from flat row `first` on. Raises Problem for a type that is not read."""
        dtype = self.entry.dtype
        if dtype in FLOATS:
            return StoredFloats(self.file, self.start + first * self._row_bytes(), shape, dtype)
        return StoredBlocks(self.file, self.start + first * self._row_bytes(), shape, dtype)

    def _row_bytes(self) -> int:
        elements, size = type_sizes(self.entry.dtype)
        return self.entry.shape[-1] // elements * size


def place(tensors: dict[str, Placed], config: ModelConfig, where: str, notes: list[str]) -> dict[str, Stored]:
    """Every tensor that the config asks for, in its order. `where` names the file in a Problem.

    Strict: raises Problem when one is missing, has another shape, or is of a type that is not read.
    """
    _check_types(tensors, where)
    found: dict[str, Stored] = {}
    unknown: list[str] = []
    for name, placed in tensors.items():
        parts = dict(_parts(name, placed, config, where))
        if parts.keys() & found.keys():
            raise Problem(f"{where} holds {name[:80]!a} a second time under another name; get it again.")
        found |= parts
        if not parts and not _is_half(name):
            unknown.append(name)
    found = dict(_joined(tensors, config)) | found
    expected = tensor_shapes(config)
    _compare(expected, found, where)
    if unknown := unknown + sorted(found.keys() - expected.keys()):
        shown = ", ".join(unknown[:_SHOWN])
        notes.append(f"{len(unknown)} tensors that the model does not need are ignored: {shown}.")
    return {name: found[name] for name in expected}


def _check_types(tensors: dict[str, Placed], where: str) -> None:
    """Vectors are always plain: a block of a vector would not be rows of one expert, one head or one token."""
    for name, placed in tensors.items():
        dtype, rank = placed.entry.dtype, len(placed.entry.shape)
        if dtype not in FLOATS and (rank == 1 or dtype not in BLOCK_TYPES):
            readable = ", ".join(("F32", "F16", "BF16", *BLOCK_TYPES))
            raise Problem(
                f"{where} stores {name[:80]!a} as {dtype}, which is not read; get a file with {readable} only."
            )


def _parts(name: str, placed: Placed, config: ModelConfig, where: str) -> Iterator[tuple[str, Stored]]:
    """One tensor under the name or names the network uses; nothing for a tensor of another purpose."""
    shape = placed.entry.shape
    if name in _TOP:
        yield _TOP[name], placed.part(0, shape)
        return
    match = _BLOCK.fullmatch(name)
    if match is None or int(match[1]) >= config.layers:
        return
    prefix, rest = f"model.layers.{match[1]}.", match[2]
    stem, _, kind = rest.rpartition(".")
    if rest in _STACKS and len(shape) == 3:
        experts = 0 if config.router is None else config.router.stored_experts
        if shape[0] != experts:
            raise Problem(f"{where} has {shape[0]:,} experts in {name}, and its keys say {experts:,}; get it again.")
        yield from _experts(prefix, _STACKS[rest], placed)
    elif rest in _BIAS_NAMES:
        yield prefix + "mlp.gate.e_score_correction_bias", placed.part(0, shape)
    elif stem in _PARTS and kind in ("weight", "bias"):
        yield f"{prefix}{_PARTS[stem]}.{kind}", placed.part(0, shape)


def _experts(prefix: str, projections: tuple[str, ...], placed: Placed) -> Iterator[tuple[str, Stored]]:
    """One expert after another: only its own bytes are read when it is asked for."""
    experts, rows, width = placed.entry.shape
    height = rows // len(projections)
    for expert in range(experts):
        for place, projection in enumerate(projections):
            stored = placed.part(expert * rows + place * height, (height, width))
            yield f"{prefix}mlp.experts.{expert}.{projection}.weight", stored


def _joined(tensors: dict[str, Placed], config: ModelConfig) -> Iterator[tuple[str, Stored]]:
    """kv_b of the layers that have it in halves, k_b as [H, C, N] and v_b as [H, V, C]."""
    rank, heads = config.kv_lora_rank, config.heads
    for layer in range(config.layers):
        halves = [tensors.get(f"blk.{layer}.attn_{half}_b.weight") for half in ("k", "v")]
        widths = (config.qk_nope_head_dim, rank)
        heights = (heads * rank, heads * config.v_head_dim)
        parts = [
            half.part(0, (height, width))
            for half, height, width in zip(halves, heights, widths, strict=True)
            if half is not None and half.entry.shape[-1] == width and prod(half.entry.shape[:-1]) == height
        ]
        if len(parts) == 2:
            yield f"model.layers.{layer}.self_attn.kv_b_proj.weight", StoredHalves(parts[0], parts[1], heads)


def _is_half(name: str) -> bool:
    return name.endswith((".attn_k_b.weight", ".attn_v_b.weight"))


def _compare(expected: dict[str, Shape], found: dict[str, Stored], where: str) -> None:
    if missing := [name for name in expected if name not in found]:
        shown = ", ".join(missing[:_SHOWN])
        raise Problem(f"{where} lacks {len(missing)} of {len(expected)} tensors of its model ({shown}); get it again.")
    if wrong := [name for name in expected if found[name].shape != expected[name]]:
        shown = ", ".join(
            f"{name} is {list(found[name].shape)} instead of {list(expected[name])}" for name in wrong[:_SHOWN]
        )
        raise Problem(f"{where} has {len(wrong)} tensors of another shape than its keys say ({shown}); get it again.")
