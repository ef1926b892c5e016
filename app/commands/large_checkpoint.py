"""A random bfloat16 checkpoint of any size, written as fast as the disk takes it. Torch-free.

All weights come out of one pool of random bits, each tensor from another place in it: nothing is computed per
weight, and no two experts are the same. Norms are 1. It is for speed and memory; its words mean nothing.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from app.commands.random_checkpoint import MID, config_json
from model.config import ModelConfig, RouterConfig
from model.shapes import Shape, tensor_shapes

# DeepSeek-V2-Lite, config.json: 15.7 B parameters. YaRN, which changes no size and no speed, is left out.
V2_LITE = replace(
    MID,
    vocab_size=102_400,
    hidden_size=2048,
    layers=27,
    intermediate_size=10_944,
    moe_intermediate_size=1408,
    moe_layers=tuple(range(1, 27)),
    router=RouterConfig("greedy", "softmax", 64, 6),
    max_position_embeddings=163_840,
)
SHARD_BYTES = 5 * 10**9
DEVIATION = 0.02  # what DeepSeek-V2 initialises with
SEED = 7
_POOL = 2**25  # weights; 64 MB
_STRIDE = 1_000_003  # weights between the starts of two tensors, odd and prime to the pool
_ONE = 0x3F80  # 1 in bfloat16

Told = Callable[[int, int], None]


def write_large_checkpoint(
    folder: Path, config: ModelConfig, *, shard_bytes: int = SHARD_BYTES, told: Told = lambda _done, _total: None
) -> int:
    """Write config.json, shards and their index; `told` hears bytes done and in all. Returns all. Raises OSError.

    The files are on the disk and out of memory when it returns, where the system can be asked for that.
    """
    shapes = tensor_shapes(config)
    total, done = sum(map(_bytes, shapes.values())), 0
    _write_json(folder / "config.json", config_json(config, dtype="bfloat16"))
    weight_map: dict[str, str] = {}
    pool, ones = _pool(), np.full(_POOL, _ONE, np.uint16).data.cast("B")
    shards = list(_shards(shapes, shard_bytes))
    for number, names in enumerate(shards, 1):
        file_name = f"model-{number:05}-of-{len(shards):06}.safetensors"
        with (folder / file_name).open("wb", buffering=0) as file:
            _write_header(file, names)
            for name, shape in names.items():
                start = len(weight_map) * _STRIDE * 2 % len(pool)
                _write_values(file, ones if "norm" in name else pool, 0 if "norm" in name else start, _bytes(shape))
                weight_map[name] = file_name
                done += _bytes(shape)
                told(done, total)
            _let_go(file)
    _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})
    return total


def large_bytes(config: ModelConfig) -> int:
    """What such a checkpoint takes on the disk, but for headers."""
    return sum(map(_bytes, tensor_shapes(config).values()))


def _bytes(shape: Shape) -> int:
    return 2 * prod(shape)


def _shards(shapes: Mapping[str, Shape], limit: int) -> Iterator[dict[str, Shape]]:
    shard: dict[str, Shape] = {}
    size = 0
    for name, shape in shapes.items():
        if shard and size + _bytes(shape) > limit:
            yield shard
            shard, size = {}, 0
        shard[name] = shape
        size += _bytes(shape)
    yield shard


def _pool() -> memoryview:
    noise = np.random.default_rng(SEED).standard_normal(_POOL, dtype=np.float32) * np.float32(DEVIATION)
    return (noise.view(np.uint32) >> 16).astype(np.uint16).data.cast("B")


def _write_header(file: BinaryIO, names: Mapping[str, Shape]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in names.items():
        start, end = end, end + _bytes(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    _write(file, memoryview(len(text).to_bytes(8, "little") + text))


def _write_values(file: BinaryIO, pool: memoryview, start: int, count: int) -> None:
    """`count` bytes of the pool from `start` on, from its beginning again at its end."""
    while count:
        part = pool[start : start + count]
        _write(file, part)
        count -= len(part)
        start = 0


def _write(file: BinaryIO, part: memoryview) -> None:
    while part:
        part = part[file.write(part) :]


def _let_go(file: BinaryIO) -> None:
    os.fsync(file.fileno())
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
