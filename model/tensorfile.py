"""One safetensors file: a strict, bounded reader, zero-copy access, and a writer that never loses the old file.

The format: 8 bytes little-endian header length, a JSON header (name -> dtype, shape, byte range),
then the data without a gap. This reader accepts only what the safetensors library accepts, and less:
no name twice, no absurd sizes, names that can be shown. Torch-free.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from model.outside import open_regular, parse_json
from model.problems import Problem

HEADER_LIMIT = 32 * 2**20
TENSOR_LIMIT = 300_000  # Kimi-K2 in int4 has 209,000: 60 layers x 384 experts x 3 matrices x 3 tensors, and more
RANK_LIMIT = 8
DIMENSION_LIMIT = 2**31
NAME_LIMIT = 512
_FIELDS = {"dtype", "shape", "data_offsets"}
_BYTES_LIMIT = 2**62  # numpy's own limit, which counts an empty dimension as one

# numpy has no bfloat16 and no 8-bit floats: their bits come as unsigned integers.
NUMPY_DTYPES: dict[str, np.dtype[np.generic]] = {
    name: np.dtype(code)
    for name, code in {
        "BOOL": "?", "U8": "u1", "I8": "i1", "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E8M0": "u1",
        "U16": "<u2", "I16": "<i2", "F16": "<f2", "BF16": "<u2", "U32": "<u4", "I32": "<i4", "F32": "<f4",
        "U64": "<u8", "I64": "<i8", "F64": "<f8", "C64": "<c8",
    }.items()
}  # fmt: skip


class Entry(NamedTuple):
    """One tensor: safetensors dtype name, shape, and its byte range counted from the start of the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself. `digest` is the SHA-256 of the header's bytes."""

    entries: dict[str, Entry]
    metadata: dict[str, str]
    data_start: int
    file_bytes: int
    digest: str


class TensorFile:
    """An open file: its header, and its data mapped into memory, never read as a whole.

    Raises Problem for anything that is not a sound safetensors file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with open_regular(self.path) as file:
            self.header = _read_header(file, self.path)
            # Copy-on-write: torch takes only writable memory, and the file must never change.
            self._data: NDArray[np.uint8] = (
                np.memmap(file, dtype=np.uint8, mode="c", offset=self.header.data_start)
                if self.header.file_bytes > self.header.data_start
                else np.empty(0, dtype=np.uint8)
            )

    def array(self, name: str) -> NDArray[np.generic]:
        """One tensor without copying it, read-only; bfloat16 as uint16 bits, 8-bit floats as uint8. KeyError."""
        view = self.raw(name).view(NUMPY_DTYPES[self.header.entries[name].dtype])
        view.flags.writeable = False
        return view.reshape(self.header.entries[name].shape)

    def raw(self, name: str) -> NDArray[np.uint8]:
        """The bytes of one tensor, uint8 [n]; writing to them changes this process's memory, not the file."""
        entry = self.header.entries[name]
        return self._data[entry.start : entry.end]


def read_header(path: str | Path) -> Header:
    """The header of one file; no tensor is read. Raises Problem in one sentence that names the file and the remedy."""
    path = Path(path)
    with open_regular(path) as file:
        return _read_header(file, path)


def write_tensors(
    path: str | Path, tensors: Mapping[str, tuple[str, NDArray[np.generic]]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write name -> (safetensors dtype name, values). The old file stays whole until the new one is safe on disk.

    Values must have the numpy dtype that `TensorFile.array` would return. Raises Problem when the disk refuses.
    """
    path = Path(path)
    # Widest elements first, so that every tensor starts at a multiple of its element size.
    order = sorted(tensors, key=lambda name: -NUMPY_DTYPES[tensors[name][0]].itemsize)
    arrays = [np.ascontiguousarray(tensors[name][1], dtype=NUMPY_DTYPES[tensors[name][0]]) for name in order]
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in zip(order, arrays, strict=True):
        start, end = end, end + array.nbytes
        shape = list(np.shape(tensors[name][1]))  # ascontiguousarray makes a scalar one-dimensional
        header[name] = {"dtype": tensors[name][0], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    _replace(
        path, [len(text).to_bytes(8, "little"), text, *(array.reshape(-1).view(np.uint8).data for array in arrays)]
    )


def _read_header(file: BinaryIO, path: Path) -> Header:
    file_bytes = os.fstat(file.fileno()).st_size
    start = file.read(512)
    if start[8:9] != b"{":  # else the first bytes are a length, which may look like anything
        _recognise(start, path)
    if len(start) < 10:
        raise Problem(f"{path} is not a safetensors file (too short, {file_bytes} bytes); download it again.")
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{":
        raise Problem(f"{path} is not a safetensors file (no header at its start); download it again.")
    if length > HEADER_LIMIT:
        raise Problem(
            f"{path} claims a header of {length:,} bytes; at most {HEADER_LIMIT:,} are read; download it again."
        )
    if length > file_bytes - 8:
        raise Problem(f"{path} ends within its header ({file_bytes:,} bytes); download it again.")
    file.seek(8)
    content = file.read(length)
    described = parse_json(content, where=f"the header of {path}")
    if not isinstance(described, dict):
        raise Problem(f"the header of {path} is not a JSON object; download the file again.")
    metadata = _metadata(described.pop("__metadata__", {}), path)
    if len(described) > TENSOR_LIMIT:
        raise Problem(f"{path} lists {len(described):,} tensors; at most {TENSOR_LIMIT:,} are read.")
    entries = {name: _entry(name, fields, path) for name, fields in described.items()}
    _check_ranges(entries, file_bytes - 8 - length, file_bytes, path)
    return Header(entries, metadata, 8 + length, file_bytes, hashlib.sha256(content).hexdigest())


def _recognise(start: bytes, path: Path) -> None:
    """Say what a file is that only carries the wrong name."""
    text = start.lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise Problem(f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` in its folder.")
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Problem(f"{path} is a web page, not the weights: the download answered with an error; download it again.")
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise Problem(f"{path} is a PyTorch pickle, which can run code; convert it to safetensors first.")
    if start.startswith(b"GGUF"):
        raise Problem(f"{path} is a GGUF file by its content; let its name end in .gguf and open it.")


def _metadata(fields: object, path: Path) -> dict[str, str]:
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise Problem(f"the metadata of {path} is not a table of texts; download the file again.")
    return fields


def _entry(name: str, fields: object, path: Path) -> Entry:
    if not 0 < len(name.encode("utf-8", "replace")) <= NAME_LIMIT or not name.isprintable():
        _refuse_tensor(
            name,
            f"has a name that is empty, longer than {NAME_LIMIT} bytes or of characters that cannot be shown",
            path,
        )
    if not isinstance(fields, dict) or not fields.keys() >= _FIELDS:
        _refuse_tensor(name, "lacks dtype, shape or data_offsets", path)
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in NUMPY_DTYPES:
        _refuse_tensor(name, f"has the unknown dtype {ascii(dtype)[:40]}", path)
    if not isinstance(shape, list) or len(shape) > RANK_LIMIT:
        _refuse_tensor(name, f"has no shape of at most {RANK_LIMIT} dimensions", path)
    for extent in shape:
        if type(extent) is not int or not 0 <= extent <= DIMENSION_LIMIT:
            _refuse_tensor(name, f"has a dimension that is not a whole number from 0 to {DIMENSION_LIMIT}", path)
    if not isinstance(offsets, list) or [type(offset) for offset in offsets] != [int, int] or min(offsets) < 0:
        _refuse_tensor(name, "has no byte range", path)
    start, end = offsets
    size = NUMPY_DTYPES[dtype].itemsize
    if prod(shape) * size != end - start or prod([extent or 1 for extent in shape]) * size > _BYTES_LIMIT:
        _refuse_tensor(name, f"of shape {shape} and dtype {dtype} does not fill its {end - start} bytes", path)
    return Entry(dtype, tuple(shape), start, end)


def _check_ranges(entries: dict[str, Entry], data_bytes: int, file_bytes: int, path: Path) -> None:
    """Byte ranges must follow one another without hole or overlap, and end with the file."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != end:
            _refuse(f"tensor {name[:80]!a} starts at byte {entry.start}, where {end} was due", path)
        end = entry.end
    if end > data_bytes:
        whole = file_bytes - data_bytes + end
        raise Problem(f"{path} is cut off: it has {_size(file_bytes)} of {_size(whole)}; download it again.")
    if end < data_bytes:
        _refuse(f"{data_bytes - end} bytes after the last tensor belong to none", path)


def _refuse_tensor(name: str, what: str, path: Path) -> NoReturn:
    _refuse(f"tensor {name[:80]!a} {what}", path)


def _refuse(what: str, path: Path) -> NoReturn:
    raise Problem(f"{path} is damaged: {what}; download it again.")


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count:,} bytes"


def _replace(path: Path, parts: list[bytes | memoryview]) -> None:
    """Write all parts to a temporary file beside `path`, force them to disk, then rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            if os.fstat(file.fileno()).st_size != sum(len(part) for part in parts):
                raise OSError("the file came out too short")
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        needed = _size(sum(len(part) for part in parts))
        reason = error.strerror or str(error)
        raise Problem(f"{path} cannot be written ({reason}); make sure the folder exists with {needed} free.") from None
