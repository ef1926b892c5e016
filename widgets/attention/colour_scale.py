"""From attention values to colours, and the slim bar that says how."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from widgets.attention.data import Quantity, Range
from widgets.palette import Palette, coloured, diverging_table, sequential_table

ROOT_TICKS = (0.0, 0.05, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Probabilities: 0 to 1 by their square root, so that weak attention shows too. Scores: −limit to limit."""

    quantity: Quantity
    limit: float = 1.0

    def place(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Places on the bar, 0 (bottom) to 1 (top); NaN stays NaN."""
        if self.quantity == "probability":
            root: NDArray[np.float32] = np.sqrt(np.maximum(values, 0.0, dtype=np.float32), dtype=np.float32)
            return root
        return (values / np.float32(2 * self.limit) + np.float32(0.5)).astype(np.float32, copy=False)

    def table(self, palette: Palette) -> NDArray[np.uint8]:
        """256 colours [256, 4], RGBA."""
        return sequential_table(palette.sequential) if self.quantity == "probability" else diverging_table()

    def cells(self, values: NDArray[np.float32], palette: Palette) -> NDArray[np.uint8]:
        """RGBA of the same shape; masked cells (NaN) take the background's colour, infinite ones that of NaN."""
        return coloured(
            self.place(values),
            self.table(palette),
            low=0.0,
            high=1.0,
            masked=palette.colour("background"),
            nan=palette.colour("nan"),
        )

    def colour(self, value: float, palette: Palette) -> QColor:
        """The colour of one value."""
        red, green, blue, alpha = self.cells(np.array([value], dtype=np.float32), palette)[0].tolist()
        return QColor(red, green, blue, alpha)

    def ticks(self) -> list[tuple[float, str]]:
        """(place on the bar, text) from the bottom up."""
        if self.quantity == "probability":
            return [(math.sqrt(value), f"{value:g}") for value in ROOT_TICKS]
        return [(0.0, signed(-self.limit)), (0.5, "0"), (1.0, signed(self.limit))]


def scale_for(quantity: Quantity, values: NDArray[np.float32]) -> ColourScale:
    """The scale of an array: fixed for probabilities, the largest score rounded up for scores."""
    if quantity == "probability":
        return ColourScale("probability")
    sizes = np.abs(values)
    sizes[np.isinf(sizes)] = 0.0  # marks of what is not a number
    return ColourScale(quantity, round_up(float(np.fmax.reduce(sizes, axis=None, initial=0.0))))


def marked(values: NDArray[np.float32], *, queries: Range, keys: Range, cell: tuple[int, int]) -> NDArray[np.float32]:
    """The same [..., rows, columns] with plus infinity for every NaN that is not of the future, where NaN masks.

    A cell of several tokens is of the future when its first key comes after its last query.
    """
    rows, columns = values.shape[-2:]
    last_query = np.minimum(queries[0] + (np.arange(rows) + 1) * cell[0], queries[1]) - 1
    first_key = keys[0] + np.arange(columns) * cell[1]
    not_numbers = np.isnan(values) & (first_key <= last_query[:, None])
    return np.where(not_numbers, np.float32(np.inf), values) if not_numbers.any() else values


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten, so that a bar keeps its range for a while."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return float(next(step for step in steps if value <= step * power * (1 + 1e-6))) * power


def signed(value: float) -> str:
    """A score with its sign, with as many digits as it needs on a bar."""
    return f"{value:+g}".replace("-", "−")


def fewer_cells(values: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """[heads, rows, columns] with at most `most` rows and columns, each the strongest of the cells it stands for.

    Masked cells count only where there is nothing else.
    """
    heads, rows, columns = values.shape
    size = -(-max(rows, columns) // max(most, 1))
    if size <= 1:
        return values
    padded = np.full((heads, -(-rows // size) * size, -(-columns // size) * size), np.nan, dtype=np.float32)
    padded[:, :rows, :columns] = values
    strongest = padded[:, ::size, ::size].copy()
    for down in range(size):
        for across in range(size):
            other = padded[:, down::size, across::size]
            stronger = (np.abs(other) > np.abs(strongest)) | np.isnan(strongest)
            np.copyto(strongest, other, where=stronger)
    return strongest


def value_image(values: NDArray[np.float32], scale: ColourScale, palette: Palette) -> QImage:
    """[rows, columns] as an image, quickly: a colour is looked up by the value's upper 16 bits.

    Rounding to those moves a value by 0.2 % at most, which is a quarter of one of the 256 colours.
    """
    bits = np.ascontiguousarray(values).view(np.uint32)
    index = ((bits + np.uint32(0x8000)) >> np.uint32(16)).astype(np.uint16)
    rows, columns = values.shape
    packed = _colours_by_bits(scale, palette)[index]
    return QImage(packed.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32).copy()


@lru_cache(maxsize=8)
def _colours_by_bits(scale: ColourScale, palette: Palette) -> NDArray[np.uint32]:
    """The colour 0xffRRGGBB of every number that has only its upper 16 bits [65536]."""
    with np.errstate(invalid="ignore", over="ignore"):
        rgba = scale.cells((np.arange(65536, dtype=np.uint32) << np.uint32(16)).view(np.float32), palette)
    red, green, blue = (rgba[:, channel].astype(np.uint32) for channel in range(3))
    return np.uint32(0xFF000000) | (red << np.uint32(16)) | (green << np.uint32(8)) | blue


def cell_image(cells: NDArray[np.uint8]) -> QImage:
    """[rows, columns, 4] RGBA as an image that owns its bytes and paints fast."""
    rows, columns = cells.shape[:2]
    packed = np.ascontiguousarray(cells)
    image = QImage(packed.data, columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
