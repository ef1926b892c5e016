"""Arithmetic of the timeline: how tokens become cells, and values become shades."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_PITCH, LEAST_PITCH = 28.0, 4.0
DARKEST = 0.38


@dataclass(frozen=True, slots=True)
class Cells:
    """`count` cells of `tokens_per_cell` tokens, `pitch` pixels from one to the next, `gap` of them empty."""

    count: int
    tokens_per_cell: int
    pitch: float
    gap: float

    def cell_of(self, token: int) -> int:
        """The cell that holds a token."""
        return token // self.tokens_per_cell

    def token_at(self, x: float) -> int:
        """The first token of the cell at so many pixels from the left end."""
        return max(int(x // self.pitch), 0) * self.tokens_per_cell if self.pitch else 0


def lay_out(tokens: int, *, width: float) -> Cells:
    """One cell per token while they stay 4 pixels apart; else the fewest tokens per cell that do."""
    if tokens <= 0 or width <= 0:
        return Cells(0, 1, 0.0, 0.0)
    room = max(int(width // LEAST_PITCH), 1)
    per_cell = -(-tokens // room)
    count = -(-tokens // per_cell)
    pitch = min(width / count, MOST_PITCH) if per_cell == 1 else width / count
    return Cells(count, per_cell, pitch, 2.0 if pitch >= 8 else 1.0)


def grouped(values: NDArray[np.float32], *, per_cell: int) -> NDArray[np.float32]:
    """The mean of each group of `per_cell` values, the last one shorter; NaN where a group has none."""
    if not len(values):
        return np.zeros(0, dtype=np.float32)
    starts = np.arange(0, len(values), per_cell)
    known = np.isfinite(values)
    sums = np.add.reduceat(np.where(known, values, 0.0).astype(np.float64), starts)
    counts = np.add.reduceat(known.astype(np.int64), starts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)


def shades(values: NDArray[np.float32], *, low: float, high: float) -> NDArray[np.float32]:
    """Strength of ink per cell from 0.38 (`low`) to 1 (`high`); values that are not known get the middle."""
    span = high - low
    place = (values - low) / span if span > 0 else np.full(len(values), 0.5, dtype=np.float32)
    place = np.clip(np.nan_to_num(place, nan=0.5), 0.0, 1.0)
    strength: NDArray[np.float32] = (DARKEST + (1.0 - DARKEST) * place).astype(np.float32)
    return strength


def usual_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """The 5th and 95th percentile of what is known: one slow token must not flatten all the others."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = quantiles(known, 0.05, 0.95)
    return low, high


def quantiles(values: NDArray[np.float32], *shares: float) -> list[float]:
    """Linear between neighbours, like numpy's own, whose first call alone costs a frame (20 ms)."""
    ordered = np.sort(values)
    places = np.arange(len(ordered))
    return [float(np.interp(share * (len(ordered) - 1), places, ordered)) for share in shares]


def strengths(values: NDArray[np.float32], *, tokens: int, cells: Cells, parts: int | None) -> NDArray[np.float32]:
    """Strength of ink per cell for `tokens` tokens, of which some values may still be missing at the end.

    Values run from 0 to 1 already when `parts` is None; else those before and after the token `parts`
    are spread over their own usual ranges.
    """
    known = np.full(tokens, np.nan, dtype=np.float32)
    known[: min(len(values), tokens)] = values[:tokens]
    if parts is not None:
        known = np.concatenate([to_unit(known[:parts]), to_unit(known[parts:])])
    return shades(grouped(known, per_cell=cells.tokens_per_cell), low=0.0, high=1.0)


def to_unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values' usual range spread over 0 to 1; one half where all are alike, NaN where not known."""
    low, high = usual_range(values)
    if high <= low:
        return np.where(np.isfinite(values), np.float32(0.5), np.float32(np.nan))
    unit: NDArray[np.float32] = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return unit
