"""One file of a checkpoint in memory as its own pages: mapped when first asked for, shared, never writable.

A private writable mapping, which numpy and torch would make, is counted against the machine's memory
by the kernel, and refused for a file that is larger.
"""

import ctypes
import hashlib
import mmap
import os
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from model.outside import open_regular
from model.problems import Problem


class MappedFile:
    """The bytes of a file that was described before, as uint8 tensors.

    `digest` is the SHA-256 of its bytes from `head[0]` to `head[1]`; it and `file_bytes` must still be true
    when the file is mapped. Safe to use from several threads. Tensors keep the mapping alive.
    """

    __slots__ = ("_bytes", "_digest", "_file_bytes", "_head", "_lock", "path")

    def __init__(self, path: Path, *, file_bytes: int, head: tuple[int, int], digest: str) -> None:
        self.path = path
        self._file_bytes = file_bytes
        self._head = head
        self._digest = digest
        self._lock = threading.Lock()
        self._bytes: Tensor | None = None

    def bytes(self, start: int, end: int) -> Tensor:
        """The file's bytes from `start` to `end`, uint8 [end - start], read-only. Raises Problem."""
        whole = self._bytes
        if whole is None:
            with self._lock:
                whole = self._bytes = self._mapped() if self._bytes is None else self._bytes
        return whole[start:end]

    def _mapped(self) -> Tensor:
        with open_regular(self.path) as file:
            self._check(file)
            try:
                return _as_tensor(mmap.mmap(file.fileno(), self._file_bytes, access=mmap.ACCESS_READ))
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise Problem(f"{self.path} cannot be mapped into memory ({reason}); close other programs.") from None

    def _check(self, file: BinaryIO) -> None:
        file.seek(self._head[0])
        head = file.read(self._head[1] - self._head[0])
        size = os.fstat(file.fileno()).st_size
        if size != self._file_bytes or hashlib.sha256(head).hexdigest() != self._digest:
            raise Problem(f"{self.path} has changed since it was described; open it again.")


def _as_tensor(mapping: mmap.mmap) -> Tensor:
    """The mapping as a tensor. torch warns of read-only buffers, so it is shown the plain address."""
    address = np.frombuffer(mapping, dtype=np.uint8).ctypes.data
    view = (ctypes.c_ubyte * len(mapping)).from_address(address)
    view.mapping = mapping  # type: ignore[attr-defined]  # torch keeps the view, and the view its mapping
    return torch.frombuffer(view, dtype=torch.uint8)
