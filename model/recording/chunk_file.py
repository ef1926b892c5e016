"""A chunk of a recording as a safetensors file: written whole or not at all, fully checked. Torch-free."""

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path

import numpy as np

from model.config import ModelConfig
from model.problems import Problem
from model.recording.chunk import Chunk, Values
from model.recording.columns import CHUNK_TOKENS, SINCE_FORMAT_2, TEXTS, Column
from model.tensorfile import TensorFile, write_tensors

Stored = dict[str, tuple[str, Values]]

MOST_OPEN_FILES = 1024  # a quarter of a million tokens; opening a file again costs more than reading what it holds
TEXT_BYTES_LIMIT = 2**24  # of one column of texts in one chunk


def _files_at_most() -> int:
    """Every map keeps a file descriptor; a quarter of those that the process may have are ours."""
    try:
        resource = import_module("resource")
    except ImportError:  # not on Windows
        return 64
    allowed: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_OPEN_FILES if allowed == resource.RLIM_INFINITY else min(MOST_OPEN_FILES, max(allowed // 4, 16))


OPEN_FILES = _files_at_most()


class OpenFiles:
    """The most recently read chunk files, mapped; at most OPEN_FILES of them at a time."""

    def __init__(self) -> None:
        self._files: OrderedDict[Path, TensorFile] = OrderedDict()

    def file(self, path: Path) -> TensorFile:
        """The mapped file."""
        found = self._files.pop(path, None) or TensorFile(path)
        self._files[path] = found
        if len(self._files) > OPEN_FILES:
            self._files.popitem(last=False)
        return found


class FileChunk:
    """A whole chunk on disk, read through a map, so it takes no private memory."""

    def __init__(self, path: Path, columns: Mapping[str, Column], files: OpenFiles, *, tokens: int, steps: int) -> None:
        self.path, self.columns, self.tokens, self.steps = path, columns, tokens, steps
        self.file_bytes = path.stat().st_size
        self._files = files

    def array(self, name: str) -> Values:
        """One column, read-only. A column of no elements, or younger than the file's format, is not in the file."""
        if name in SINCE_FORMAT_2 and name not in self.columns:
            return np.zeros(self.steps, np.int64)
        column = self.columns[name]
        shape = column.stored_shape(self.steps if column.kind == "step" else self.tokens)
        if 0 in shape:
            return np.empty(shape, column.numpy_dtype)
        return self._files.file(self.path).array(name)

    def texts(self, name: str) -> list[str]:
        """One column of texts."""
        file = self._files.file(self.path)
        kind, each = TEXTS[name]
        count = each * (self.steps if kind == "step" else self.tokens)
        if not count:
            return []
        ends = file.array(name + "_ends").tolist()
        data = file.array(name).tobytes() if ends[-1] else b""
        starts = [0, *ends[:-1]]
        return [data[start:end].decode("utf-8", "replace") for start, end in zip(starts, ends, strict=True)]


def pack(chunk: Chunk, columns: Mapping[str, Column]) -> Stored:
    """What a chunk file holds, by name; columns without elements are left out."""
    stored: Stored = {name: (column.dtype, chunk.array(name)) for name, column in columns.items()}
    for name in TEXTS:
        texts = [text.encode("utf-8", "replace") for text in chunk.texts(name)]
        stored[name] = ("U8", np.frombuffer(b"".join(texts), np.uint8))
        stored[name + "_ends"] = ("I32", np.cumsum([len(text) for text in texts], dtype=np.int32))
    return {name: (dtype, np.ascontiguousarray(values)) for name, (dtype, values) in stored.items() if values.size}


def digest(stored: Stored) -> str:
    """SHA-256 of names and values in the order of the names, as hexadecimal digits."""
    total = sha256()
    for name in sorted(stored):
        values = stored[name][1]
        total.update(f"{name} {values.nbytes}\n".encode())
        total.update(values.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def write_chunk(path: Path, chunk: Chunk, columns: Mapping[str, Column]) -> str:
    """Write a chunk whole or not at all; returns its digest. Raises OSError."""
    stored = pack(chunk, columns)
    sha = digest(stored)
    write_tensors(path, stored, {"sha256": sha, "tokens": str(chunk.tokens), "steps": str(chunk.steps)})
    return sha


def open_chunk(
    path: Path, columns: Mapping[str, Column], files: OpenFiles, *, tokens: int, config: ModelConfig, sha: str | None
) -> FileChunk:
    """A chunk file from anywhere, checked in full. Raises Problem when it is not what a recorder writes."""
    file = files.file(path)
    chunk = FileChunk(path, columns, files, tokens=tokens, steps=_steps(file, path))
    _check_header(file, chunk)
    stored: Stored = {name: (entry.dtype, file.array(name)) for name, entry in file.header.entries.items()}
    if digest(stored) != (sha or file.header.metadata.get("sha256")):
        raise Problem(f"{path} is damaged: its contents do not match their checksum.")
    _check_values(file, chunk, config)
    return chunk


def _steps(file: TensorFile, path: Path) -> int:
    text = file.header.metadata.get("steps", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) <= CHUNK_TOKENS):
        raise Problem(f"{path} does not say how many steps it holds, at most {CHUNK_TOKENS}.")
    return int(text)


def _check_header(file: TensorFile, chunk: FileChunk) -> None:
    """Names, dtypes and shapes must be exactly those that the config implies; only text bytes may vary."""
    counts = {"step": chunk.steps, "light": chunk.tokens, "heavy": chunk.tokens}
    expected = {
        name: (column.dtype, column.stored_shape(counts[column.kind])) for name, column in chunk.columns.items()
    }
    expected |= {f"{name}_ends": ("I32", (each * counts[kind],)) for name, (kind, each) in TEXTS.items()}
    expected = {name: entry for name, entry in expected.items() if 0 not in entry[1]}
    found = {name: (entry.dtype, entry.shape) for name, entry in file.header.entries.items()}
    texts = {name: found.pop(name) for name in TEXTS if name in found}
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise Problem(f"{chunk.path}: column {name!r} is {found.get(name)}, where {expected.get(name)} was due.")
    for name, (dtype, shape) in texts.items():
        if dtype != "U8" or len(shape) != 1 or shape[0] > TEXT_BYTES_LIMIT:
            raise Problem(f"{chunk.path}: texts {name!r} are not at most {TEXT_BYTES_LIMIT:,} bytes.")


def _check_values(file: TensorFile, chunk: FileChunk, config: ModelConfig) -> None:
    """Numbers that are used as positions must lie inside what they point into."""
    for name in TEXTS:
        length = file.header.entries[name].shape[0] if name in file.header.entries else 0
        ends = np.zeros(1, np.int32)
        if f"{name}_ends" in file.header.entries:
            ends = np.concatenate((ends, file.array(f"{name}_ends")))
        if ends[-1] != length or (np.diff(ends) < 0).any():
            raise Problem(f"{chunk.path}: texts {name!r} do not end where they should.")
    expert_ids = chunk.array("expert_ids")
    if expert_ids.size and config.router is not None:
        low, high = int(expert_ids.min()), int(expert_ids.max())
        if low < 0 or high >= config.router.experts:
            raise Problem(f"{chunk.path}: experts {low} to {high} of a model with {config.router.experts}.")
