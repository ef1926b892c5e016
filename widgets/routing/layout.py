"""Where everything on the routing map lies: the cells, the shared experts and the margin at the right."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF

from widgets.routing.geometry import Columns, Rows, cell_at, place_columns, visible_rows
from widgets.routing.grid import Grid

LINE = 14.0
TOP = 26.0
BOTTOM = 30.0
LEFT = 78.0
RIGHT = 12.0
SHARED_WIDTH = 16.0
SHARED_STEP = 18.0
SIDE_WIDTH = 14.0
SIDE_ROOM = 44.0
APART = 14.0
THINNEST_FRAME = 3.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A place under the mouse: drawn rows hold `rows` tokens from `row` on; the expert may be none."""

    row: int
    rows: int
    expert: int | None
    shared: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What of a grid is shown: `rows` (first, how many) or None for all; columns zoomed, and scrolled by pixels."""

    rows: tuple[float, float] | None = None
    zoom: float = 1.0
    scrolled: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A grid laid out in a widget `width` wide; `body` is the rectangle of the cells."""

    grid: Grid
    width: float
    body: QRectF
    rows: Rows
    columns: Columns

    def shared_left(self, index: int) -> float:
        """Left end of a shared expert's column."""
        return self.body.right() + APART + index * SHARED_STEP

    def side_left(self) -> float:
        """Left end of the slim column at the far right."""
        return self.width - RIGHT - SIDE_ROOM / 2 - SIDE_WIDTH / 2

    def column(self, place: int) -> tuple[float, float]:
        """Left and right end of the column at a place, in pixels of the widget."""
        return self.body.left() + float(self.columns.left[place]), self.body.left() + float(self.columns.right[place])

    def cell_rectangle(self, row: int, expert: int) -> QRectF:
        """Where a cell lies; rows outside the view count as its first or last."""
        top, bottom = self.rows.edges()
        at = min(max(self.rows.row_of(row), 0), self.rows.count - 1)
        left, right = self.column(self.columns.place_of(expert))
        return QRectF(left, self.body.top() + top[at], right - left, max(float(bottom[at] - top[at]), 1.0))

    def row_frame(self, row: int) -> QRectF | None:
        """The frame around a row, its shared experts included; None when the row is out of sight."""
        at = self.rows.row_of(row)
        if not 0 <= at < self.rows.count:
            return None
        top, bottom = (float(edge[at]) for edge in self.rows.edges())
        if bottom - top < THINNEST_FRAME:
            top, bottom = top - 1, top + THINNEST_FRAME - 1
        if top < -2 or bottom > self.body.height() + 2:
            return None
        shared = self.grid.shared
        right = self.shared_left(shared - 1) + SHARED_WIDTH if shared else self.body.right()
        left = self.body.left() - 1.5
        return QRectF(left, self.body.top() + top - 1.5, right - left + 0.5, bottom - top + 2)

    def column_frame(self, expert: int) -> QRectF | None:
        """The frame around an expert's column down to the last row; None when it is out of sight."""
        left, right = self.column(self.columns.place_of(expert))
        if not self.rows.count or right <= self.body.left() or left >= self.body.right():
            return None
        height = min(self.body.height(), float(self.rows.edges()[1][-1])) + 2
        return QRectF(left - 1.5, self.body.top() - 1.5, right - left + 2, height)

    def cell_at(self, place: QPointF) -> Cell | None:
        """What lies at a place of the widget; None off the rows."""
        at = cell_at(*self.rows.edges(), place.y() - self.body.top()) if self.rows.count else None
        if at is None or not self.body.top() <= place.y() < self.body.bottom():
            return None
        first = self.rows.first + at * self.rows.each
        held = min(self.rows.each, self.grid.rows - first)
        for index in range(self.grid.shared):
            if 0 <= place.x() - self.shared_left(index) < SHARED_STEP:
                return Cell(first, held, None, shared=index)
        return Cell(first, held, self.expert_at(place.x()))

    def expert_at(self, x: float) -> int | None:
        """The expert whose column lies at `x`."""
        if not self.body.left() <= x < self.body.right():
            return None
        found = cell_at(self.columns.left, self.columns.right, x - self.body.left())
        return None if found is None else int(self.columns.order[found])


def lay_out(grid: Grid, view: View, *, width: float, height: float) -> Layout:
    """Lay a grid out in a widget of this size."""
    shared = grid.shared * SHARED_STEP + APART if grid.shared else 0.0
    side = SIDE_ROOM if grid.side is not None else 0.0
    wide = float(int(max(20.0, width - LEFT - RIGHT - shared - side)))
    body = QRectF(LEFT, TOP, wide, max(8.0, height - TOP - BOTTOM))
    first, shown = view.rows or (0.0, float(grid.capacity))
    rows = visible_rows(first, shown, tokens=grid.rows, height=body.height())
    made = place_columns(grid.expert_device, groups=grid.groups, width=wide * view.zoom)
    offset = round(view.scrolled)
    return Layout(grid, width, body, rows, Columns(made.order, made.left - offset, made.right - offset))
