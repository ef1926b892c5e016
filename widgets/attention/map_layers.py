"""The maps on the canvas: the newest one, and under it the last whole one of the same head."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from widgets.attention.colour_scale import ColourScale, cell_image, marked, scale_for
from widgets.attention.data import AttentionMap
from widgets.palette import DARK, Palette


class MapLayers:
    """Maps with their pictures, coloured by one scale: that of the newest map.

    The whole map is seen at the edges while a finer one is on its way, so that nothing flickers.
    """

    def __init__(self) -> None:
        self.newest: AttentionMap | None = None
        self.scale = ColourScale("probability")
        self.has_nan = False  # whether a visible cell's value is not a number
        self._under: AttentionMap | None = None
        self._palette: Palette = DARK
        self._painted: list[tuple[AttentionMap, QImage]] = []

    def show_map(self, shown: AttentionMap) -> None:
        """Put a map on top; a whole map, or one of another head, replaces all."""
        if shown.is_whole():
            self._under = shown
        elif self._under is not None and _kind(self._under) != _kind(shown):
            self._under = None
        self.newest = shown
        self._recolour()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self._recolour()

    def clear(self) -> None:
        """Forget all maps."""
        self.newest, self._under, self._painted, self.has_nan = None, None, [], False

    def painted(self) -> list[tuple[AttentionMap, QImage]]:
        """Maps and pictures from the lowest to the highest."""
        return self._painted

    def _recolour(self) -> None:
        if self.newest is None:
            return
        self.scale = scale_for(self.newest.quantity, self.newest.values)
        lower = [] if self._under is None or self._under is self.newest else [self._under]
        shown = [(each, _marked(each)) for each in (*lower, self.newest)]
        self.has_nan = any(values is not each.values for each, values in shown)
        self._painted = [(each, cell_image(self.scale.cells(values, self._palette))) for each, values in shown]


def _marked(shown: AttentionMap) -> NDArray[np.float32]:
    return marked(shown.values, queries=shown.queries, keys=shown.keys, cell=shown.cell)


def _kind(shown: AttentionMap) -> tuple[object, ...]:
    return shown.layer, shown.head, shown.quantity, shown.reduction
