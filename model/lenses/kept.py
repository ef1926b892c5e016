"""What the engine keeps for later views: bounded, the longest unused goes first. Torch-free."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast

KEPT_BYTES = 192 * 2**20  # with the buffers of a view in work this stays below 256 MB


class Sized(Protocol):
    """Something whose memory is known."""

    @property
    def nbytes(self) -> int:
        """Bytes."""
        ...


Value = TypeVar("Value", bound=Sized)


class Kept:
    """Values by key, of `limit` bytes together; the one used last always stays."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.limit = limit
        self._values: OrderedDict[Hashable, Sized] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """All of them."""
        return sum(value.nbytes for value in self._values.values())

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made when it is not there. Values may grow; what is too much then goes."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        self.shrink()
        return cast(Value, self._values[key])

    def forget(self, run: str) -> None:
        """Drop what belongs to a run: keys are tuples that begin with its name."""
        for key in [key for key in self._values if isinstance(key, tuple) and key[0] == run]:
            del self._values[key]

    def shrink(self) -> None:
        """Give back what has not been used for longest until the rest fits."""
        held = self.nbytes
        while held > self.limit and len(self._values) > 1:
            _, value = self._values.popitem(last=False)
            held -= value.nbytes
