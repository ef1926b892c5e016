"""Where the bars of the load chart lie, and which numbers its axis carries."""

from dataclasses import dataclass
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

GROUP_FILL = 0.82
THINNEST_BAR = 2.0
CHOSEN_BAR = 3.0
CHOSEN_SHARE = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Groups of bars: `left` and `right` of each group [M]; a group too narrow for bars is drawn as a range."""

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    devices: int

    def bar_width(self, group: int) -> float:
        """Width of one bar of a group in pixels, its gap included."""
        return float(self.right[group] - self.left[group]) / self.devices

    def has_bars(self, group: int) -> bool:
        """Whether every device has its own bar, or the group is too narrow."""
        return self.bar_width(group) >= THINNEST_BAR

    def bar(self, group: int, device: int) -> tuple[float, float]:
        """Left end and width of a bar, whole pixels; bars of four pixels or more are parted by one."""
        width = self.bar_width(group)
        left = floor(self.left[group] + device * width + 0.5)
        right = floor(self.left[group] + (device + 1) * width + 0.5)
        return float(left), float(max(1, right - left - (1 if width >= 4 else 0)))

    def at(self, x: float) -> tuple[int, int] | None:
        """Group and device at a place, or None between groups."""
        group = int(np.searchsorted(self.left, x, side="right")) - 1
        if group < 0 or x >= self.right[group]:
            return None
        return group, min(self.devices - 1, int((x - self.left[group]) / self.bar_width(group)))


def place_bars(groups: int, devices: int, *, width: float, chosen: int | None) -> Bars:
    """Groups side by side over `width` pixels; where bars would be too thin the chosen group gets room for its own."""
    share = np.full(groups, width / max(groups, 1))
    if chosen is not None and groups > 1 and share[0] * GROUP_FILL / devices < THINNEST_BAR:
        own = min(CHOSEN_SHARE * width, CHOSEN_BAR * devices / GROUP_FILL)
        own = max(own, share[0])
        share[:] = (width - own) / (groups - 1)
        share[chosen] = own
    end = np.cumsum(share)
    start = end - share
    inset = share * (1 - GROUP_FILL) / 2
    return Bars(np.round(start + inset), np.round(end - inset), devices)


def axis_end(value: float) -> float:
    """End of an axis from 0 that holds `value`; it grows in steps: 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten."""
    if not value > 0:
        return 1.0
    size = 10.0 ** floor(log10(value))
    return next(
        float(f"{size * step:.12g}") for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if size * step >= value * (1 - 1e-9)
    )


def axis_ticks(end: float) -> list[float]:
    """Three to five round numbers from 0 to the end of an axis."""
    size = 10.0 ** floor(log10(end) + 1e-9)
    parts = {1: 4, 1.5: 3, 2: 4, 3: 3, 4: 4, 5: 5, 6: 3, 8: 4}.get(float(f"{end / size:.6g}"), 4)
    parts = 2 if parts == 5 and end < 5 else parts
    return [end * part / parts for part in range(parts + 1)]
