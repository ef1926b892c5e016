"""What every message is made of: its number, and arrays on their way. Torch-free, Qt-free."""

from math import prod
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Quantity = Literal["probability", "content", "position"]
Reduction = Literal["max", "mean"]
CellReduction = Literal["max", "mean", "sum"]

ELEMENT_BYTES = {
    name: np.dtype(name).itemsize
    for name in (
        *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
        *("float16", "float32", "float64"),
    )
}


class Message(msgspec.Struct, frozen=True, tag=True, eq=False, kw_only=True):
    """What all messages share: the number of the request they make or answer; 0 answers none."""

    request: int = 0


class Array(msgspec.Struct, frozen=True, eq=False):
    """A numpy array on its way: dtype name, shape, and its bytes in C order.

    Raises ValueError when they do not agree, so a frame with such an array does not decode.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def __post_init__(self) -> None:
        size = ELEMENT_BYTES.get(self.dtype)
        if size is None or any(count < 0 for count in self.shape) or prod(self.shape) * size != len(self.data):
            raise ValueError(f"{len(self.data)} bytes are no array {self.dtype[:20]!a} {self.shape[:8]}")

    @staticmethod
    def of(values: NDArray[np.generic]) -> "Array":
        """Pack any numpy array."""
        return Array(values.dtype.name, values.shape, values.tobytes())

    def numpy(self) -> NDArray[Any]:
        """The array again, read-only."""
        return np.frombuffer(self.data, dtype=np.dtype(self.dtype)).reshape(self.shape)
