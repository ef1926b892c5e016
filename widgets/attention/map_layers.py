"""The maps on the canvas: a pyramid of rectangles, coarse ones under fine ones, so that zooming never waits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from widgets.attention.colour_scale import ColourScale, marked, scale_for, value_image
from widgets.attention.data import AttentionMap
from widgets.palette import DARK, Palette

MOST_MAPS = 24
MOST_BYTES = 64 * 2**20  # of pictures and values together


@dataclass(slots=True, eq=False)
class _Tile:
    """One rectangle: its values with what is not a number marked, and its picture in the scale it was made for."""

    shown: AttentionMap
    values: NDArray[np.float32]
    has_nan: bool
    made_for: tuple[ColourScale, Palette] | None = None
    image: QImage | None = None


class MapLayers:
    """Rectangles of one head with their pictures, coloured by one scale: that of the newest.

    The pixels that were seen before stay, stretched, under finer ones while those are on their way. What a newer
    rectangle covers at least as finely is dropped, and so are the oldest ones beyond a fixed number and size.
    """

    def __init__(self) -> None:
        self.newest: AttentionMap | None = None
        self.scale = ColourScale("probability")
        self.has_nan = False  # whether a visible cell's value is not a number
        self._tiles: list[_Tile] = []  # by arrival
        self._palette: Palette = DARK

    def show_map(self, shown: AttentionMap) -> None:
        """Put a map on top; one of another head, run or quantity replaces all."""
        if shown is self.newest:
            return
        if self.newest is not None and _kind(self.newest) != _kind(shown):
            self._tiles = []
        self.newest = shown
        values = marked(shown.values, queries=shown.queries, keys=shown.keys, cell=shown.cell)
        self._tiles = [tile for tile in self._tiles if not _covers(shown, tile.shown)]
        self._tiles.append(_Tile(shown, values, values is not shown.values))
        self._forget_old()
        self.scale = scale_for(shown.quantity, shown.values)
        self.has_nan = any(tile.has_nan for tile in self._tiles)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette

    def clear(self) -> None:
        """Forget all maps."""
        self.newest, self._tiles, self.has_nan = None, [], False

    def painted(self) -> list[tuple[AttentionMap, QImage]]:
        """Maps and pictures from the lowest to the highest: the coarser one below, the newest last."""
        order = sorted(self._tiles, key=lambda tile: (tile.shown is self.newest, -_fineness(tile.shown)))
        return [(tile.shown, self._picture(tile)) for tile in order]

    def overview(self) -> tuple[AttentionMap, QImage] | None:
        """The widest map there is, for the minimap."""
        widest = max(self._tiles, key=lambda tile: _area(tile.shown), default=None)
        return None if widest is None else (widest.shown, self._picture(widest))

    def _picture(self, tile: _Tile) -> QImage:
        # Made when it is painted and kept until the scale or the theme changes: colouring a megapixel takes a frame.
        wanted = (self.scale, self._palette)
        if tile.image is None or tile.made_for != wanted:
            tile.image, tile.made_for = value_image(tile.values, self.scale, self._palette), wanted
        return tile.image

    def _forget_old(self) -> None:
        widest = max(self._tiles, key=lambda tile: _area(tile.shown))
        size = sum(2 * tile.values.nbytes for tile in self._tiles)
        for tile in self._tiles[:-1]:
            if len(self._tiles) <= MOST_MAPS and size <= MOST_BYTES:
                return
            if tile is not widest:
                self._tiles.remove(tile)
                size -= 2 * tile.values.nbytes


def _covers(new: AttentionMap, old: AttentionMap) -> bool:
    """Whether nothing of `old` is worth keeping beside `new`."""
    inside = all(
        mine[0] <= theirs[0] and theirs[1] <= mine[1]
        for mine, theirs in ((new.queries, old.queries), (new.keys, old.keys))
    )
    return inside and _fineness(new) <= _fineness(old)


def _fineness(shown: AttentionMap) -> int:
    """Tokens that share a cell; fewer are finer."""
    return shown.cell[0] * shown.cell[1]


def _area(shown: AttentionMap) -> int:
    return (shown.queries[1] - shown.queries[0]) * (shown.keys[1] - shown.keys[0])


def _kind(shown: AttentionMap) -> tuple[object, ...]:
    return shown.run, shown.layer, shown.head, shown.quantity, shown.reduction
