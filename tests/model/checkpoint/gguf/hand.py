"""GGUF files put together by hand, so that every word of them can be a lie."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field


def text(value: str | bytes) -> bytes:
    """A string as the format has it: its length, then its bytes."""
    content = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(content)) + content


def array(kind: int, count: int, content: bytes) -> bytes:
    """A value of type array: element type, count, elements."""
    return struct.pack("<IQ", kind, count) + content


def key(name: str | bytes, kind: int, content: bytes) -> bytes:
    """One key-value."""
    return text(name) + struct.pack("<I", kind) + content


def tensor(name: str | bytes, dimensions: Sequence[int], kind: int, start: int, rank: int | None = None) -> bytes:
    """One tensor info; dimensions fastest first."""
    rank = len(dimensions) if rank is None else rank
    return text(name) + struct.pack(f"<I{len(dimensions)}QIQ", rank, *dimensions, kind, start)


@dataclass
class Gguf:
    """A file's parts. Counts are those of the lists unless something else is claimed."""

    keys: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)
    data: bytes = b""
    magic: bytes = b"GGUF"
    version: int = 3
    key_count: int | None = None
    tensor_count: int | None = None
    alignment: int = 32

    def build(self) -> bytes:
        """The bytes of the file."""
        tensors = len(self.tensors) if self.tensor_count is None else self.tensor_count
        keys = len(self.keys) if self.key_count is None else self.key_count
        front = self.magic + struct.pack("<IQQ", self.version, tensors, keys)
        front += b"".join(self.keys) + b"".join(self.tensors)
        return front + bytes(-len(front) % self.alignment) + self.data


U32, I32, F32, BOOL, TEXT, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10


def u32(name: str, value: int) -> bytes:
    """A key with a number."""
    return key(name, U32, struct.pack("<I", value))
