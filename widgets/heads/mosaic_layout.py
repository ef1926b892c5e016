"""Where thumbnails lie in a mosaic of thousands: pure geometry, so that only what is in view is ever touched."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from PySide6.QtCore import QRect

from widgets.heads.data import Place

GAP, GUTTER, CAPTION = 4, 34, 16
SMALLEST, LARGEST = 18, 132
WRAPPED = 30  # side where the heads of a layer need several rows
CAPTIONED = 52  # thumbnails at least so large have words under them


@dataclass(frozen=True, slots=True)
class MosaicLayout:
    """Rows of places; each row is `pitch` high, and `rows[i]` lists its places from the left."""

    rows: tuple[tuple[Place, ...], ...]
    side: int
    gutter: int
    captioned: bool

    @property
    def across(self) -> int:
        """From one column to the next; words under thumbnails need more room between them."""
        return self.side + (3 * GAP if self.captioned else GAP)

    @property
    def pitch(self) -> int:
        """From one row to the next."""
        return self.side + GAP + (CAPTION if self.captioned else 0)

    @property
    def height(self) -> int:
        """All rows."""
        return len(self.rows) * self.pitch

    def box(self, row: int, column: int) -> QRect:
        """Where a thumbnail lies, from the mosaic's upper left corner."""
        return QRect(self.gutter + column * self.across, row * self.pitch, self.side, self.side)

    def at(self, x: int, y: int) -> Place | None:
        """The place under a point."""
        row, column = y // self.pitch, (x - self.gutter) // self.across
        if not 0 <= row < len(self.rows) or not 0 <= column < len(self.rows[row]) or x < self.gutter:
            return None
        return self.rows[row][column] if self.box(row, column).contains(x, y) else None

    def find(self, place: Place) -> tuple[int, int] | None:
        """Row and column of a place."""
        for index, row in enumerate(self.rows):
            if place in row:
                return index, row.index(place)
        return None

    def between(self, top: int, bottom: int) -> Iterator[tuple[int, int, Place]]:
        """(row, column, place) of what lies between two heights."""
        first, last = max(top // self.pitch, 0), min(bottom // self.pitch + 1, len(self.rows))
        for row in range(first, last):
            for column, place in enumerate(self.rows[row]):
                yield row, column, place


def lay_out(places: list[Place], *, width: int, height: int, by_layer: bool) -> MosaicLayout:
    """Rows for this room: one layer a row where its heads fit, else layers wrapped; a flat list fills rows.

    The largest side at which everything is seen without scrolling, and never smaller than can be told apart.
    """
    gutter = GUTTER if by_layer else 0
    room = max(width - gutter, SMALLEST)
    groups = _groups(places) if by_layer else [places]
    for side in range(LARGEST, SMALLEST - 1, -2):
        empty = MosaicLayout((), side, gutter, side >= CAPTIONED)
        made = replace(empty, rows=_wrapped(groups, room, empty.across))
        whole = not by_layer or all(len(group) * empty.across <= room + GAP for group in groups)
        if whole and made.height <= height + GAP:
            return made
    side = next((s for s in range(WRAPPED, SMALLEST - 1, -2) if _longest(groups) * (s + GAP) <= room + GAP), WRAPPED)
    return MosaicLayout(_wrapped(groups, room, side + GAP), side, gutter, False)


def _groups(places: list[Place]) -> list[list[Place]]:
    by_layer: dict[int, list[Place]] = {}
    for place in places:
        by_layer.setdefault(place[0], []).append(place)
    return list(by_layer.values())


def _longest(groups: list[list[Place]]) -> int:
    return max((len(group) for group in groups), default=1)


def _wrapped(groups: list[list[Place]], room: int, across: int) -> tuple[tuple[Place, ...], ...]:
    columns = max((room + GAP) // across, 1)
    return tuple(tuple(group[start : start + columns]) for group in groups for start in range(0, len(group), columns))
