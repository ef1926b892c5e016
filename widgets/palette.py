"""The window's colours by role, light, dark and colour-blind, and the maps from numbers to colours.

Roles are named for what they do, never for a hue. Contrast promises are kept by a test: text at
least 7:1 and muted at least 4.5:1 on every surface.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as `#rrggbb`. `sequential` runs from zero (the surface) to one; `categories` are devices, domains.

    `nan` is for cells whose value is not a number, and for nothing else: no map has a colour like it.
    """

    name: ThemeName
    background: str
    surface: str
    raised: str
    line: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    good: str
    warn: str
    bad: str
    nan: str
    sequential: tuple[str, ...]
    categories: tuple[str, ...]

    def colour(self, role: str, alpha: float = 1.0) -> QColor:
        """The colour of a role, such as `accent`, with an opacity from 0 to 1."""
        colour = QColor(getattr(self, role))
        colour.setAlphaF(alpha)
        return colour

    def category(self, index: int) -> QColor:
        """The colour of a device, domain or community; they repeat after eight."""
        return QColor(self.categories[index % len(self.categories)])


DARK = Palette(
    name="dark",
    background="#15171b",
    surface="#1b1e23",
    raised="#23272d",
    line="#30353d",
    text="#e7e9ec",
    muted="#98a1ab",
    faint="#69727c",
    accent="#46b3c2",
    on_accent="#08262b",
    good="#6bbf8a",
    warn="#e0a458",
    bad="#e5786d",
    nan="#2ee59d",
    sequential=("#1b1e23", "#34205c", "#7a206b", "#ba3655", "#ee6925", "#fbb41a", "#fcfabe"),
    categories=("#56B4E9", "#E69F00", "#2fbf97", "#d98cb3", "#F0E442", "#6f9bd6", "#E8743B", "#b0b7bf"),
)

LIGHT = Palette(
    name="light",
    background="#f3f4f5",
    surface="#ffffff",
    raised="#f7f8f9",
    line="#d9dde1",
    text="#1b1f24",
    muted="#5b6570",
    faint="#8c959e",
    accent="#0f7c8c",
    on_accent="#ffffff",
    good="#1f7a45",
    warn="#9a5b00",
    bad="#b3261e",
    nan="#d6249f",
    sequential=("#ffffff", "#deeff0", "#a1d5d6", "#5bb1be", "#267f9e", "#1a4c7a", "#141e48"),
    categories=("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#8a7a00", "#56B4E9", "#D55E00", "#5b6570"),
)

CIVIDIS = ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838")
NAN_BESIDE_CIVIDIS = "#ff4fd8"


def palette(name: ThemeName, *, colour_blind: bool = False) -> Palette:
    """The palette of a theme; the colour-blind preset swaps the sequential map for cividis."""
    chosen = DARK if name == "dark" else LIGHT
    return replace(chosen, sequential=CIVIDIS, nan=NAN_BESIDE_CIVIDIS) if colour_blind else chosen


@lru_cache(maxsize=16)
def sequential_table(stops: tuple[str, ...]) -> NDArray[np.uint8]:
    """256 colours [256, 4] RGBA from zero to one, evenly interpolated between the stops."""
    colours = np.array([QColor(stop).getRgb() for stop in stops], dtype=np.float64)
    place = np.linspace(0, len(stops) - 1, 256)
    table = [np.interp(place, np.arange(len(stops)), colours[:, channel]) for channel in range(4)]
    return np.rint(np.stack(table, axis=1)).astype(np.uint8)


@lru_cache(maxsize=1)
def diverging_table() -> NDArray[np.uint8]:
    """256 colours [256, 4] RGBA of CET-CBD1 (colour-blind safe), its middle at 128."""
    from pyqtgraph import colormap  # a tenth of a second that the first paint need not wait for

    table: NDArray[np.uint8] = colormap.get("CET-CBD1").getLookupTable(nPts=256, alpha=True, mode="byte")
    return table


def coloured(
    values: NDArray[np.float32],
    table: NDArray[np.uint8],
    *,
    low: float,
    high: float,
    masked: QColor,
    nan: QColor | None = None,
) -> NDArray[np.uint8]:
    """RGBA image of any shape: `low` … `high` spread over the table, NaN painted in the masked colour.

    With `nan`, cells of plus infinity take that colour: so a caller marks what is there but is not a number.
    Masked cells take the background's colour, never the map's zero: what cannot be is not nothing.
    """
    span = high - low if high > low else 1.0
    place = (values - np.float32(low)) * np.float32(255.0 / span)
    place += np.float32(0.5)
    unknown = np.isnan(place)
    place[unknown] = 0.0
    not_numbers = None if nan is None else np.isposinf(place)
    steps = np.clip(place, 0, 255, out=place).astype(np.uint8)
    # One 32-bit number a cell is four times as quick to look up as four bytes.
    packed = np.ascontiguousarray(table).view(np.uint32)[:, 0][steps]
    packed[unknown] = np.array(masked.getRgb(), dtype=np.uint8).view(np.uint32)[0]
    if nan is not None and not_numbers is not None and not_numbers.any():
        packed[not_numbers] = np.array(nan.getRgb(), dtype=np.uint8).view(np.uint32)[0]
    return np.ascontiguousarray(packed).view(np.uint8).reshape(*values.shape, 4)


def luminance(colour: QColor) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    channels = np.array([colour.redF(), colour.greenF(), colour.blueF()])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(colour: QColor) -> QColor:
    """Black or white text, whichever reads better on this colour: at least 4.5:1 on any."""
    dark, light = QColor("#000000"), QColor("#ffffff")
    return dark if contrast(dark, colour) >= contrast(light, colour) else light
