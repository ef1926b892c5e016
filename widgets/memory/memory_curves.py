"""Arithmetic of the KV memory plot: round axis ends, ticks, thinned curves, labels that do not collide."""

import math

import numpy as np
from numpy.typing import NDArray

from widgets.memory.memory_series import Measure, Scale

MOST_POINTS = 2048
FORMULA_POINTS = 160
NICE_TOKENS = (1.0, 1.25, 1.5, 1.75)
NICE_BYTES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
TICK_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0, 20.0)


def token_axis_end(tokens: int) -> int:
    """The axis end for so many tokens: 16 at least, then in steps of a quarter of a power of two."""
    if tokens <= 16:
        return 16
    base = 2 ** int(math.log2(tokens))
    return next((int(base * step) for step in NICE_TOKENS if base * step >= tokens), base * 2)


def byte_axis_end(most: float) -> float:
    """The smallest of 1, 1.5, 2, 3, 4, 6, 8 × a power of ten that is not below `most`: all end on a tick."""
    if most <= 0:
        return 1.0
    base = 10.0 ** math.floor(math.log10(most))
    return next(base * step for step in NICE_BYTES if base * step >= most * (1 - 1e-12))


def byte_axis(per_token: tuple[int, ...], *, tokens: int, measure: Measure, scale: Scale) -> tuple[float, float]:
    """The y range in plotted units (bytes, or their decimal logarithm) that holds every line up to `tokens`."""
    factor = tokens if measure == "total" else 1
    most = byte_axis_end(max(*per_token, 1) * factor)
    if scale == "linear":
        return 0.0, most
    least = max(min(per_token), 1)
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most) - 1e-9)
    return float(low), float(max(high, low + 1))


def plotted(sizes: NDArray[np.float64], *, scale: Scale) -> NDArray[np.float64]:
    """Bytes in plotted units; on a logarithmic axis nothing is lower than one byte."""
    return np.log10(np.maximum(sizes, 1.0)) if scale == "log" else sizes


def formula_line(
    per_token: int, *, tokens: int, measure: Measure, scale: Scale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Token counts [p] and plotted bytes [p] of one formula, dense enough to look smooth on a log axis."""
    counts = np.unique(np.geomspace(1.0, max(tokens, 2), FORMULA_POINTS).round(3))
    sizes = counts * per_token if measure == "total" else np.full_like(counts, per_token)
    return counts, plotted(sizes, scale=scale)


def thinned(tokens: NDArray[np.int64], *, low: float, high: float, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Rows to draw between two token counts: all of them, or `most` evenly, with both neighbours outside."""
    first = max(int(np.searchsorted(tokens, low)) - 1, 0)
    last = min(int(np.searchsorted(tokens, high, side="right")), len(tokens) - 1)
    if last - first < most:
        return np.arange(first, last + 1)
    return np.unique(np.linspace(first, last, most).round().astype(np.int64))


def nice_ticks(low: float, high: float, *, most: int = 4, whole: bool = False) -> list[float]:
    """Round numbers in the range with at most `most` steps between them; whole ones when they count things."""
    span = high - low
    if span <= 0:
        return [low]
    base = 10.0 ** math.floor(math.log10(span / most))
    step = next(base * factor for factor in TICK_STEPS if span / (base * factor) <= most + 1e-9)
    step = max(math.ceil(step), 1) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def token_ticks(low: float, high: float) -> list[float]:
    """Ticks of a token axis: quarters of a power of two where they fit, as sizes of caches go."""
    span = high - low
    if span < 8:
        return nice_ticks(low, high, whole=True)
    step = 2.0 ** math.ceil(math.log2(span / 5))
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def decade_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Whole decades in a logarithmic range, thinned when there are many."""
    decades = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    return [float(decade) for decade in decades[:: max(1, math.ceil(len(decades) / most))]]


def spread(wanted: list[float], *, apart: float, low: float, high: float) -> list[float]:
    """Places for labels, near where they are wanted, in order, at least `apart` and within the bounds.

    Labels that touch are merged into blocks centred on their wanted places (isotonic regression).
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    blocks: list[tuple[float, int]] = []  # (mean of wanted − offset, members)
    for place, index in enumerate(order):
        mean, members = wanted[index] - place * apart, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, members = (mean * members + other * count) / (members + count), members + count
        blocks.append((mean, members))
    starts = [mean for mean, members in blocks for _ in range(members)]
    room = max(high - apart * (len(wanted) - 1), low)
    placed = [0.0] * len(wanted)
    for place, index in enumerate(order):
        placed[index] = min(max(starts[place], low), room) + place * apart
    return placed
