"""The columns of a recording: their names, dtypes and shapes, from a config alone. Torch-free.

A recording is cut into chunks of `CHUNK_TOKENS` tokens. In a chunk of n tokens and s steps a light
column has shape [n, …], a heavy one [rows, n, width] (one layer's rows lie together, because lenses read
one layer at a time), and a step column [s, …]. bfloat16 has no numpy dtype: its bits are kept as uint16.
"""

from dataclasses import dataclass
from math import nan, prod
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import DTypeLike

from model.caches import kept
from model.config import DtypeName, ModelConfig

CHUNK_TOKENS = 256
TOP_TOKENS = 5

Kind = Literal["light", "heavy", "step"]
Shape = tuple[int, ...]

# safetensors' name of a dtype, and the numpy dtype that holds it here.
NUMPY_DTYPES: dict[str, DTypeLike] = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "U8": np.uint8,
}
# Step columns that folders of format 1 lack; they are read as zeros, which is what they would hold.
SINCE_FORMAT_2 = ("expert_hits", "expert_misses", "bytes_read")

STORED_DTYPES: dict[str, str] = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}

# Texts per token or step; each is stored as UTF-8 bytes and the byte number where every text ends.
TEXTS: dict[str, tuple[Kind, int]] = {
    "texts": ("light", 1),
    "chosen_texts": ("step", 1),
    "top_texts": ("step", TOP_TOKENS),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `dtype` as safetensors names it; `shape` of one token or step, [rows, width] if heavy."""

    name: str
    kind: Kind
    dtype: str
    shape: Shape

    @property
    def numpy_dtype(self) -> np.dtype[np.generic]:
        """What holds the values in memory."""
        return np.dtype(NUMPY_DTYPES[self.dtype])

    def stored_shape(self, count: int) -> Shape:
        """The shape of `count` tokens or steps."""
        if self.kind == "heavy":
            return self.shape[0], count, *self.shape[1:]
        return count, *self.shape

    def nbytes(self, count: int) -> int:
        """Bytes of `count` tokens or steps."""
        return prod(self.stored_shape(count)) * self.numpy_dtype.itemsize


class StepRow(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What one step (a prefill chunk or a decoded token) tells besides its tokens. Bytes of the cache, seconds."""

    decode: bool
    measured_bytes: int
    used_bytes: int
    seconds: float
    # Routed experts that were at hand, that had to be brought in, and the bytes read for those; all 0 where
    # every expert is always at hand.
    expert_hits: int = 0
    expert_misses: int = 0
    bytes_read: int = 0
    chosen_id: int = -1  # −1: nothing was sampled after this step
    chosen_text: str = ""
    chosen_log_probability: float = nan
    top_ids: tuple[int, ...] | list[int] = ()  # likeliest first, at most TOP_TOKENS; missing ones become −1
    top_texts: tuple[str, ...] | list[str] = ()
    top_log_probability: tuple[float, ...] | list[float] = ()


def columns(
    config: ModelConfig, *, dtype: DtypeName | str, keep_logits: bool = False, format: int = 2
) -> dict[str, Column]:
    """Every column that a folder of this format holds of a run of this model in this dtype; texts are in TEXTS."""
    moe, layers = len(config.moe_layers), config.layers
    experts, chosen = (config.router.experts, config.router.experts_per_token) if config.router else (0, 0)
    run = STORED_DTYPES[dtype]
    table: list[tuple[str, Kind, str, Shape]] = [
        ("ids", "light", "I32", ()),
        ("log_probability", "light", "F32", ()),
        ("expert_ids", "light", "I16", (moe, chosen)),
        ("expert_weights", "light", "F32", (moe, chosen)),
        ("margins", "light", "F32", (moe,)),
        *((row.name, "heavy", run, (layers, row.width)) for row in kept(config)),
        ("query_source", "heavy", run, (layers, config.query_source_width)),
        ("router_scores", "heavy", "F32", (moe, experts)),
        ("tokens", "step", "I64", ()),
        ("decode", "step", "U8", ()),
        ("measured_bytes", "step", "I64", ()),
        ("used_bytes", "step", "I64", ()),
        ("seconds", "step", "F32", ()),
        ("expert_hits", "step", "I64", ()),
        ("expert_misses", "step", "I64", ()),
        ("bytes_read", "step", "I64", ()),
        ("chosen_ids", "step", "I32", ()),
        ("chosen_log_probability", "step", "F32", ()),
        ("top_ids", "step", "I32", (TOP_TOKENS,)),
        ("top_log_probability", "step", "F32", (TOP_TOKENS,)),
    ]
    if keep_logits:
        table.append(("logits", "heavy", "F32", (1, config.vocab_size)))
    later = SINCE_FORMAT_2 if format < 2 else ()
    return {name: Column(name, kind, stored, shape) for name, kind, stored, shape in table if name not in later}
