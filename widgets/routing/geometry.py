"""Where the cells of the routing map lie: rows of tokens, columns of experts, and which labels fit."""

from dataclasses import dataclass
from math import ceil, floor, log2, log10

import numpy as np
from numpy.typing import NDArray

SMALLEST_STEP = 16
GAP_FROM = 4.0  # cells at least this large are parted by one pixel
WIDEST_GAP = 9.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Drawn rows: row `i` holds tokens `first + i * each` up to the next row, and is `height` pixels high.

    `shift` (pixels, zero or less) is where the first row begins: panning is not bound to whole rows.
    """

    first: int
    count: int
    each: int
    height: float
    shift: float

    def row_of(self, token: int) -> int:
        """The drawn row of a token; it may lie outside the drawn range."""
        return (token - self.first) // self.each

    def edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Top and bottom of every row [count], whole pixels."""
        place = self.shift + np.arange(self.count + 1) * self.height
        edge = np.floor(place + 0.5)
        return edge[:-1], edge[1:] - (1.0 if self.height >= GAP_FROM else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Experts from left to right: `order` int [E] names them, `left` and `right` [E] are whole pixels."""

    order: NDArray[np.int64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]

    def place_of(self, expert: int) -> int:
        """The place of an expert from the left."""
        return int(np.flatnonzero(self.order == expert)[0])


def row_capacity(tokens: int) -> int:
    """Rows the map has room for: it grows in steps of 16, later of an eighth, so it does not jump at every token."""
    step = max(SMALLEST_STEP, (1 << floor(log2(max(tokens, 1)))) // 8)
    return max(SMALLEST_STEP, ceil(tokens / step) * step)


def visible_rows(first: float, shown: float, *, tokens: int, height: float) -> Rows:
    """The rows that `height` pixels show of `shown` tokens from `first` on.

    Rows smaller than a pixel are pooled, always at multiples of the pool, so pooling stays put while tokens come in.
    """
    token_height = height / max(shown, 1e-9)
    each = max(1, ceil(1.0 / max(token_height, 1e-9) - 1e-9))
    start = max(0, floor(first / each)) * each
    end = min(tokens, ceil(first + shown))
    count = max(0, ceil((end - start) / each))
    return Rows(start, count, each, token_height * each, (start - first) * token_height)


def place_columns(expert_device: NDArray[np.int64], *, groups: int, width: float) -> Columns:
    """Columns of all experts in `width` pixels, device by device, with gaps between devices.

    Where several of the router's groups share a device, half a gap parts them. Experts without a device come last.
    """
    experts = len(expert_device)
    order = np.argsort(np.where(expert_device < 0, np.iinfo(np.int64).max, expert_device), kind="stable")
    device = expert_device[order]
    breaks = np.zeros(experts)
    breaks[1:] = np.where(np.diff(device) != 0, 1.0, 0.0)
    if groups > 1 and experts % groups == 0 and bool(np.all(order == np.arange(experts))):
        group = order // (experts // groups)
        breaks[1:] = np.where((np.diff(group) != 0) & (breaks[1:] == 0), 0.5, breaks[1:])
    parts = float(breaks.sum())
    gap = min(WIDEST_GAP, max(2.0, 0.12 * width / parts)) if parts else 0.0
    if gap * parts > 0.4 * width:
        gap = 0.0
    column = (width - gap * parts) / experts
    place = np.arange(experts) * column + np.cumsum(breaks) * gap
    left = np.floor(place + 0.5)
    right = np.floor(place + column + 0.5) - (1.0 if column >= GAP_FROM else 0.0)
    return Columns(order, left, right)


def cells_of_pixels(
    start: NDArray[np.float64], end: NDArray[np.float64], *, pixels: int, ratio: float
) -> NDArray[np.int64]:
    """For each of `pixels` device pixels (`ratio` to a logical one) the cell under its centre, −1 in a gap."""
    if not len(start):
        return np.full(pixels, -1, dtype=np.int64)
    centre = (np.arange(pixels) + 0.5) / ratio
    cell = np.searchsorted(start, centre, side="right") - 1
    inside = (cell >= 0) & (centre < end[np.maximum(cell, 0)])
    return np.where(inside, cell, -1)


def cell_at(start: NDArray[np.float64], end: NDArray[np.float64], place: float) -> int | None:
    """The cell at a place in pixels; the pixel after a cell still belongs to it, a wider gap to nobody."""
    cell = int(np.searchsorted(start, place, side="right")) - 1
    return cell if cell >= 0 and place < end[cell] + 1.0 else None


def labelled_rows(rows: Rows, *, line: float, always: int | None) -> list[int]:
    """Drawn rows whose names fit without touching, `line` pixels each; the `always` row wins over its neighbours."""
    if not rows.count:
        return []
    stride = nice_stride(line / rows.height)
    # Counted from token 0, so names stay with their tokens while the map is moved.
    offset = -(rows.first // rows.each) % stride
    chosen = list(range(offset, rows.count, stride))
    if always is None or not 0 <= always < rows.count:
        return chosen
    reach = line / rows.height
    return sorted([row for row in chosen if abs(row - always) >= reach] + [always])


def labelled_columns(columns: Columns, *, width: float, always: int | None) -> list[int]:
    """Places whose numbers fit above their columns, `width` pixels each, evenly; the `always` place wins."""
    middle = (columns.left + columns.right) / 2
    spacing = float(np.min(np.diff(middle))) if len(middle) > 1 else width
    stride = 1 << ceil(log2(max(1.0, width / max(spacing, 1e-9))))
    chosen = list(range(0, len(middle), stride))
    if always is None:
        return chosen
    return sorted([place for place in chosen if abs(middle[place] - middle[always]) >= width] + [always])


def nice_stride(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is at least `least`."""
    size = int(10.0 ** floor(log10(max(least, 1.0))))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= least)


def nice_ceiling(value: float) -> float:
    """The smallest of … 0.75, 1, 1.5, 2, 3, 5, 7.5, 10 … that is at least `value`; 1 for nothing."""
    if not value > 0:
        return 1.0
    size = 10.0 ** floor(log10(value))
    return next(
        float(f"{size * factor:.12g}") for factor in (1, 1.5, 2, 3, 5, 7.5, 10) if size * factor >= value * (1 - 1e-9)
    )
