"""What the attention view is shown, and what it asks for: frozen, as plain arrays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Quantity = Literal["probability", "content", "position"]
Reduction = Literal["max", "mean"]
Range = tuple[int, int]


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
            case "position":
                return self.position_scores

    def strongest(self, count: int) -> NDArray[np.int64]:
        """Keys with the largest probabilities, strongest first, earlier key first among equals."""
        order: NDArray[np.int64] = np.argsort(-self.probabilities, kind="stable")[: max(count, 0)]
        return order

    def rank(self, key: int) -> int:
        """1 for the key with the largest probability."""
        return 1 + int(np.count_nonzero(self.probabilities > self.probabilities[key]))


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRange:
    """The cells in view: token ranges, the pixels there are for them, and whether that is the whole square."""

    queries: Range
    keys: Range
    rows: int
    columns: int
    whole: bool
