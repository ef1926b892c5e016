"""One GGUF file: a strict, bounded, torch-free reader of its key-values and of where its tensors are.

The format (versions 2 and 3, little-endian): magic, version, two counts, key-values, tensor infos, padding, data.
Every count is checked against the bytes that are left before anything is made of it, and the data must follow
without overlap or hole, as ggml writes it. Dimensions come in numpy's order, the slowest first.
"""

import os
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from numpy.typing import NDArray

from model.checkpoint.gguf.cursor import Cursor
from model.outside import open_regular
from model.problems import Problem
from model.tensorfile import DIMENSION_LIMIT, NAME_LIMIT, TENSOR_LIMIT, Entry

KEY_LIMIT = 10_000
TEXT_LIMIT = 2**20  # bytes of one text, as a chat template or a token is
ELEMENT_LIMIT = 4_000_000  # texts of one file, in arrays: a vocabulary and its merges
NESTED_LIMIT = 1_000  # arrays within arrays
RANK_LIMIT = 4
ALIGNMENT_LIMIT = 2**20
_BYTES_LIMIT = 2**62
_ALIGNMENT = 32

_BOOL, _TEXT, _ARRAY = 7, 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOL: "?", 10: "Q", 11: "q", 12: "d"}
_TYPES = {kind.value: kind.name for kind in GGML_QUANT_SIZES}


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """What a file says about itself. `tensors` have byte ranges counted from `data_start`, like safetensors entries.

    `metadata` holds int, float, bool, str; arrays of numbers as numpy arrays, arrays of texts and of arrays as lists.
    `digest` is the SHA-256 of everything in front of the data. An entry's dtype is ggml's type name, as "Q4_K".
    """

    metadata: dict[str, object]
    tensors: dict[str, Entry]
    data_start: int
    file_bytes: int
    digest: str


def read_container(path: str | Path) -> Container:
    """The front of one file; no tensor is read. Raises Problem in one sentence that names the file and the remedy."""
    path = Path(path)
    with open_regular(path) as file:
        file_bytes = os.fstat(file.fileno()).st_size
        cursor = Cursor(file, path, file_bytes)
        tensor_count, key_count = _counts(cursor, path)
        metadata = _metadata(cursor, key_count)
        alignment = _alignment(cursor, metadata)
        infos = dict[str, Entry]()
        for _ in range(tensor_count):
            name, entry = _tensor(cursor, alignment)
            if name in infos:
                cursor.refuse(f"the tensor {name[:80]!a} is listed twice")
            infos[name] = entry
        if infos:
            cursor.take(-cursor.position % alignment)
        _check_ranges(cursor, infos, alignment, file_bytes, path)
        return Container(metadata, infos, cursor.position, file_bytes, cursor.digest())


def type_sizes(dtype: str) -> tuple[int, int]:
    """Elements and bytes of one block of a ggml type."""
    elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[dtype]]
    return elements, size


def _counts(cursor: Cursor, path: Path) -> tuple[int, int]:
    """Tensors and key-values, behind the magic and the version."""
    if cursor.left < 24 or cursor.take(4) != b"GGUF":
        raise Problem(f"{path} is not a GGUF file (no header at its start); download it again.")
    version = cursor.u32()
    if version not in (2, 3):
        byte_order = "a big-endian file, " if version in (2 << 24, 3 << 24) else ""
        raise Problem(f"{path} is {byte_order}GGUF version {version}; little-endian versions 2 and 3 are read.")
    tensors, keys = cursor.u64(), cursor.u64()
    for count, limit, least, what in ((keys, KEY_LIMIT, 13, "keys"), (tensors, TENSOR_LIMIT, 24, "tensors")):
        if count > limit:
            cursor.refuse(f"it claims {count:,} {what}; at most {limit:,} are read")
        if count * least > cursor.left:
            cursor.refuse(f"it claims {count:,} {what}, more than fit into it")
    return tensors, keys


def _metadata(cursor: Cursor, count: int) -> dict[str, object]:
    metadata: dict[str, object] = {}
    budget = _Budget()
    for _ in range(count):
        key = _name(cursor, "key")
        if key in metadata:
            cursor.refuse(f"the key {key[:80]!a} appears twice")
        metadata[key] = _value(cursor, cursor.u32(), budget, depth=0)
    return metadata


@dataclass(slots=True)
class _Budget:
    """Objects that may still be made: each costs far more memory than it takes in the file."""

    texts: int = ELEMENT_LIMIT
    arrays: int = NESTED_LIMIT


def _value(cursor: Cursor, kind: int, budget: _Budget, *, depth: int) -> object:
    if kind == _TEXT:
        return cursor.text(limit=TEXT_LIMIT)
    if kind == _ARRAY:
        return _array(cursor, budget, depth=depth)
    if kind not in _SCALARS:
        cursor.refuse(f"a value at byte {cursor.position:,} has the unknown type {kind}")
    return cursor.scalar(_SCALARS[kind])


def _array(cursor: Cursor, budget: _Budget, *, depth: int) -> NDArray[np.generic] | list[object]:
    kind, count = cursor.u32(), cursor.u64()
    if kind in _SCALARS:
        dtype = np.dtype("u1" if kind == _BOOL else "<" + _SCALARS[kind])
        if count > cursor.left // dtype.itemsize:
            cursor.refuse(f"an array at byte {cursor.position:,} claims {count:,} elements, more than fit")
        values = np.frombuffer(cursor.take(count * dtype.itemsize), dtype=dtype)
        return values != 0 if kind == _BOOL else values
    if kind not in (_TEXT, _ARRAY):
        cursor.refuse(f"an array at byte {cursor.position:,} has the unknown type {kind}")
    if kind == _ARRAY and depth:
        cursor.refuse(f"an array at byte {cursor.position:,} is nested more than once")
    allowed = budget.texts if kind == _TEXT else budget.arrays
    if count > min(allowed, cursor.left // (8 if kind == _TEXT else 12)):
        cursor.refuse(f"an array at byte {cursor.position:,} claims {count:,} elements, more than are read or fit")
    if kind == _TEXT:
        budget.texts -= count
    else:
        budget.arrays -= count
    return [_value(cursor, kind, budget, depth=depth + 1) for _ in range(count)]


def _alignment(cursor: Cursor, metadata: dict[str, object]) -> int:
    value = metadata.get("general.alignment", _ALIGNMENT)
    if type(value) is not int or not 8 <= value <= ALIGNMENT_LIMIT or value & (value - 1):
        cursor.refuse(f"general.alignment is {ascii(value)[:40]}, not a power of two from 8 to {ALIGNMENT_LIMIT:,}")
    return value


def _tensor(cursor: Cursor, alignment: int) -> tuple[str, Entry]:
    """One tensor info: name, dimensions (the fastest first), type, offset."""
    name = _name(cursor, "tensor name")
    rank = cursor.u32()
    if not 1 <= rank <= RANK_LIMIT:
        cursor.refuse(f"tensor {name[:80]!a} has {rank:,} dimensions, not 1 to {RANK_LIMIT}")
    shape = tuple(cursor.u64() for _ in range(rank))[::-1]
    if not all(1 <= size <= DIMENSION_LIMIT for size in shape):
        cursor.refuse(f"tensor {name[:80]!a} has a dimension that is not from 1 to {DIMENSION_LIMIT}")
    kind, start = cursor.u32(), cursor.u64()
    if kind not in _TYPES:
        cursor.refuse(f"tensor {name[:80]!a} has the unknown type {kind}")
    block, block_bytes = type_sizes(_TYPES[kind])
    if shape[-1] % block:
        cursor.refuse(
            f"tensor {name[:80]!a} has rows of {shape[-1]:,}, no multiple of {_TYPES[kind]}'s blocks of {block}"
        )
    size = prod(shape) // block * block_bytes
    if size > _BYTES_LIMIT or start > _BYTES_LIMIT or start % alignment:
        cursor.refuse(f"tensor {name[:80]!a} has an impossible size or a start that is no multiple of {alignment}")
    return name, Entry(_TYPES[kind], shape, start, start + size)


def _name(cursor: Cursor, what: str) -> str:
    name = cursor.text(limit=NAME_LIMIT)
    if not name or not name.isprintable():
        cursor.refuse(f"the {what} {name[:80]!a} is empty or has characters that cannot be shown")
    return name


def _check_ranges(cursor: Cursor, tensors: dict[str, Entry], alignment: int, file_bytes: int, path: Path) -> None:
    """The data of the tensors must follow one another, padded to the alignment, within the file."""
    due = end = 0
    for name, entry in sorted(tensors.items(), key=lambda item: item[1].start):
        if entry.start != due:
            cursor.refuse(f"tensor {name[:80]!a} starts at byte {entry.start:,}, where {due:,} was due")
        end = entry.end
        due = end + -end % alignment
    whole = cursor.position + end
    if whole > file_bytes:
        raise Problem(f"{path} is cut off: it has {file_bytes:,} of {whole:,} bytes; download it again.")
