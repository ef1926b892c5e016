"""The pixels of the routing map: one image at the screen's own resolution, so cells are sharp at every scale."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from widgets.palette import Palette, coloured, sequential_table
from widgets.routing.geometry import Columns, Rows, cells_of_pixels


def cell_pixels(
    values: NDArray[np.float32], rows: Rows, columns: Columns, *, size: tuple[int, int], ratio: float, palette: Palette
) -> NDArray[np.uint8]:
    """Pixels [height, width, 4] of places [rows, E] in the colour map; gaps clear.

    NaN, no choice, takes the background's colour; infinity, a gate that is not a number, the one for that.
    """
    rgba = coloured(
        values[:, columns.order],
        sequential_table(palette.sequential),
        low=0.0,
        high=1.0,
        masked=palette.colour("background"),
        nan=palette.colour("nan"),
    )
    down = cells_of_pixels(*rows.edges(), pixels=size[1], ratio=ratio)
    across = cells_of_pixels(columns.left, columns.right, pixels=size[0], ratio=ratio)
    return spread(rgba, down, across)


def strip_pixels(
    strength: NDArray[np.float32], rows: Rows, *, size: tuple[int, int], ratio: float, empty: QColor, full: QColor
) -> NDArray[np.uint8]:
    """Pixels [height, width, 4] of one column whose cells run from the empty to the full colour."""
    ends = np.array([empty.getRgb(), full.getRgb()], dtype=np.float32)
    mixed = np.rint(ends[0] + strength[:, None] * (ends[1] - ends[0])).astype(np.uint8)
    down = cells_of_pixels(*rows.edges(), pixels=size[1], ratio=ratio)
    return spread(mixed[:, None, :], down, np.zeros(size[0], dtype=np.int64))


def spread(rgba: NDArray[np.uint8], down: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Repeat cells [R, C, 4] over pixels; an index of −1 stays clear."""
    cells = np.zeros((rgba.shape[0] + 1, rgba.shape[1] + 1), dtype=np.uint32)
    # The last row and column stay zero: that is where an index of −1 points.
    cells[:-1, :-1] = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]
    pixels = cells[:, across].take(down, axis=0)
    return pixels.view(np.uint8).reshape(len(down), len(across), 4)


def image_of(pixels: NDArray[np.uint8], ratio: float) -> QImage:
    """A Qt image that owns its pixels [height, width, 4] RGBA."""
    height, width = pixels.shape[:2]
    image = QImage(np.ascontiguousarray(pixels).data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
    image.setDevicePixelRatio(ratio)
    return image
