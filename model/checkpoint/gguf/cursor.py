"""A bounded walk through the front of a GGUF file: nothing is read or counted that the file's own size cannot hold."""

import hashlib
import struct
from pathlib import Path
from typing import BinaryIO, NoReturn

from model.problems import Problem

FRONT_LIMIT = 64 * 2**20  # bytes in front of the tensors: a large vocabulary with its merges takes some 10 MB
_BLOCK = 2**20


class Cursor:
    """Reads forward from the start of an open file of `file_bytes` bytes, at most FRONT_LIMIT of them."""

    def __init__(self, file: BinaryIO, path: Path, file_bytes: int) -> None:
        self._file, self._path = file, path
        self._most = min(file_bytes, FRONT_LIMIT)
        self._cut = file_bytes < FRONT_LIMIT
        self._buffer = bytearray()
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes that can still be asked for."""
        return self._most - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises Problem when there are not so many."""
        end = self.position + count
        if end > self._most:
            self._refuse_end()
        if end > len(self._buffer):
            self._buffer += self._file.read(min(max(end, len(self._buffer) + _BLOCK), self._most) - len(self._buffer))
            if end > len(self._buffer):  # the file has become shorter while it was read
                self._refuse_end()
        start, self.position = self.position, end
        return bytes(self._buffer[start:end])

    def u32(self) -> int:
        """The next four bytes as a number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """The next eight bytes as a number."""
        return int.from_bytes(self.take(8), "little")

    def scalar(self, code: str) -> int | float | bool:
        """The next value of a `struct` code."""
        value: int | float | bool = struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]
        return value

    def text(self, *, limit: int) -> str:
        """The next string of at most `limit` bytes; what is not UTF-8 in it becomes U+FFFD."""
        length = self.u64()
        if length > limit:
            self.refuse(f"a text at byte {self.position:,} claims {length:,} bytes; at most {limit:,} are read")
        return self.take(length).decode("utf-8", "replace")

    def digest(self) -> str:
        """SHA-256 of all that was read."""
        return hashlib.sha256(memoryview(self._buffer)[: self.position]).hexdigest()

    def refuse(self, what: str) -> NoReturn:
        """Raise the Problem about this file."""
        raise Problem(f"{self._path} is damaged: {what}; download it again.")

    def _refuse_end(self) -> NoReturn:
        if self._cut:
            raise Problem(f"{self._path} ends within its header ({self._most:,} bytes); download it again.")
        self.refuse(f"it has more than {FRONT_LIMIT:,} bytes in front of its tensors")
