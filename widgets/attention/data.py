"""What the attention view is shown, and what it asks for: frozen, as plain arrays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Quantity = Literal["probability", "content", "position", "difference"]
Reduction = Literal["max", "mean", "sum"]
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a picture has come: `rows` of `of` query rows were read, in this arithmetic."""

    rows: int
    of: int
    arithmetic: str = "float32"  # or bf16

    def is_last(self) -> bool:
        """Whether every row is in it."""
        return self.rows >= self.of


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AttentionMap:
    """One head's map of queries [a, b) × keys [c, d): `values` float32 [rows, columns], NaN where masked.

    A cell covers `cell` = (queries, keys) tokens, the last ones perhaps fewer; (1, 1) means every cell is exact.
    """

    layer: int
    head: int
    queries: Range
    keys: Range
    quantity: Quantity
    reduction: Reduction
    cell: tuple[int, int]
    values: NDArray[np.float32]
    run: str = ""
    stage: Stage | None = None  # None: nothing is said about it

    def is_reduced(self) -> bool:
        """Whether a cell stands for more than one pair of tokens."""
        return self.cell != (1, 1)

    def is_whole(self) -> bool:
        """Whether the map starts at the first token on both axes and is square, as the whole map is."""
        return self.queries[0] == self.keys[0] == 0 and self.queries == self.keys


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeadGallery:
    """Small maps of several heads of one layer: `values` float32 [heads, rows, columns], NaN where masked."""

    layer: int
    heads: tuple[int, ...]
    queries: Range
    keys: Range
    quantity: Quantity
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RowProfile:
    """One query against every key it sees: three arrays float32 [query + 1], scores scaled, before softmax."""

    layer: int
    head: int
    query: int
    probabilities: NDArray[np.float32]
    content_scores: NDArray[np.float32]
    position_scores: NDArray[np.float32]

    def values(self, quantity: Quantity) -> NDArray[np.float32]:
        """The array of one quantity."""
        match quantity:
            case "probability":
                return self.probabilities
            case "content":
                return self.content_scores
            case _:
                return self.position_scores

    def strongest(self, count: int) -> NDArray[np.int64]:
        """Keys with the largest probabilities, strongest first, earlier key first among equals."""
        values, count = self.probabilities, min(max(count, 0), len(self.probabilities))
        if not count:
            return np.empty(0, np.int64)
        # Sorting all of a hundred thousand keys would take longer than a frame.
        likely = np.flatnonzero(values >= np.partition(values, -count)[-count])
        order: NDArray[np.int64] = likely[np.argsort(-values[likely], kind="stable")][:count]
        return order

    def rank(self, key: int) -> int:
        """1 for the key with the largest probability."""
        return 1 + int(np.count_nonzero(self.probabilities > self.probabilities[key]))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellValues:
    """One query and one key of one head; rank 1 is the key with the most of `seen` keys. Scores before softmax."""

    layer: int
    head: int
    query: int
    key: int
    probability: float
    content: float
    position: float
    rank: int
    seen: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScoreParts:
    """Of each of `queries` int64 [n]: variance of content and position scores over the keys it sees, float32 [n]."""

    layer: int
    head: int
    queries: NDArray[np.int64]
    content_variance: NDArray[np.float32]
    position_variance: NDArray[np.float32]
    stage: Stage | None = None

    def content_share(self) -> NDArray[np.float32]:
        """What content explains of the sum of both variances, 0 to 1, float32 [n]; NaN where scores do not vary."""
        total = self.content_variance + self.position_variance
        share: NDArray[np.float32] = np.full(len(total), np.nan, dtype=np.float32)
        np.divide(self.content_variance, total, out=share, where=total > 0)
        return share


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRange:
    """The cells in view: token ranges, the (queries, keys) that share a cell, and whether that is the whole square.

    Ranges begin at multiples of the cell, a power of two, so that neighbouring views have the same cells.
    """

    queries: Range
    keys: Range
    cell: tuple[int, int]
    whole: bool
