"""Painting the routing map: cells as images, everything else as text and lines.

A little longer than most files: each part of the picture has one short function here.
"""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen

from widgets.palette import Palette, coloured, ink_on, sequential_table
from widgets.routing.geometry import labelled_columns, labelled_rows
from widgets.routing.layout import LEFT, LINE, RIGHT, SHARED_WIDTH, SIDE_ROOM, SIDE_WIDTH, TOP, Layout
from widgets.routing.picture import cell_pixels, image_of, strip_pixels
from widgets.token_text import visible

TEXT_PIXELS = 11
CENTRE = Qt.AlignmentFlag.AlignCenter
FROM_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
SHARED_INK = 0.45


@dataclass(frozen=True, slots=True)
class Words:
    """The words on the map: the column at the right, a device (`{0}` is its number), experts without weights."""

    side: str = ""
    device: str = "device {0}"
    zero: str = "zero experts"
    nan: str = "■ NaN"


@dataclass(frozen=True, slots=True)
class Marks:
    """Rows and experts that stand out."""

    row: int | None = None
    expert: int | None = None
    hovered_row: int | None = None


class Painting:
    """One layout in one palette. Its images are made when first painted and kept for hover and selection."""

    def __init__(self, layout: Layout, palette: Palette, words: Words) -> None:
        self._layout = layout
        self._palette = palette
        self._words = words
        self._images: tuple[float, QImage, QImage | None, QImage | None] | None = None

    def paint(self, painter: QPainter, marks: Marks, ratio: float) -> None:
        """Paint everything; `ratio` is device pixels to a logical one."""
        font = QFont(painter.font())
        font.setPixelSize(TEXT_PIXELS)
        painter.setFont(font)
        if self._layout.rows.count:
            self._paint_images(painter, ratio)
            self._paint_numbers(painter)
            self._paint_row_names(painter, marks.row)
        self._paint_experts(painter, marks.expert)
        self._paint_columns_apart(painter)
        self._paint_devices(painter)
        self._paint_key(painter)
        self._paint_marks(painter, marks)

    def _paint_images(self, painter: QPainter, ratio: float) -> None:
        layout = self._layout
        if self._images is None or self._images[0] != ratio:
            self._images = (ratio, *self._make_images(ratio))
        _, cells, shared, side = self._images
        painter.drawImage(layout.body, cells)
        top, height = layout.body.top(), layout.body.height()
        if shared is not None:
            for index in range(layout.grid.shared):
                painter.drawImage(QRectF(layout.shared_left(index), top, SHARED_WIDTH, height), shared)
        if side is not None:
            painter.drawImage(QRectF(layout.side_left(), top, SIDE_WIDTH, height), side)

    def _make_images(self, ratio: float) -> tuple[QImage, QImage | None, QImage | None]:
        grid, rows, body, palette = self._layout.grid, self._layout.rows, self._layout.body, self._palette
        size = round(body.width() * ratio), round(body.height() * ratio)
        cells = cell_pixels(grid.cells(rows), rows, self._layout.columns, size=size, ratio=ratio, palette=palette)
        shared = side = None
        empty = palette.colour("background")
        if grid.shared:
            strip, always = (round(SHARED_WIDTH * ratio), size[1]), np.ones(rows.count, dtype=np.float32)
            ink = _blend(palette.colour("surface"), palette.colour("muted"), SHARED_INK)
            shared = image_of(strip_pixels(always, rows, size=strip, ratio=ratio, empty=empty, full=ink), ratio)
        if grid.side is not None:
            strip, loudness = (round(SIDE_WIDTH * ratio), size[1]), grid.side(rows)
            ink = palette.colour("warn")
            side = image_of(strip_pixels(loudness, rows, size=strip, ratio=ratio, empty=empty, full=ink), ratio)
        return image_of(cells, ratio), shared, side

    def _paint_numbers(self, painter: QPainter) -> None:
        """The numbers inside the cells, when every one of them fits."""
        layout, grid, rows = self._layout, self._layout.grid, self._layout.rows
        room = float(np.min(layout.columns.right - layout.columns.left))
        if grid.numbers is None or rows.height < LINE or room < painter.fontMetrics().horizontalAdvance("0.0") + 4:
            return
        table, masked = sequential_table(self._palette.sequential), self._palette.colour("background")
        colours = coloured(grid.cells(rows), table, low=0.0, high=1.0, masked=masked)
        top, bottom = rows.edges()
        spans = [layout.column(place) for place in range(len(layout.columns.order))]
        painter.save()
        painter.setClipRect(layout.body)
        for at, place in np.ndindex(rows.count, len(spans)):
            expert = int(layout.columns.order[place])
            number = float(grid.numbers[rows.first + at, expert])
            if number > 0:
                left, right = spans[place]
                painter.setPen(ink_on(QColor(*(int(part) for part in colours[at, expert]))))
                cell = QRectF(left, layout.body.top() + float(top[at]), right - left, float(bottom[at] - top[at]))
                painter.drawText(cell, CENTRE, f"{number:.1f}")
        painter.restore()

    def _paint_row_names(self, painter: QPainter, chosen: int | None) -> None:
        body, rows, names = self._layout.body, self._layout.rows, self._layout.grid.names
        top, bottom = rows.edges()
        selected = None if chosen is None else rows.row_of(chosen)
        for at in labelled_rows(rows, line=LINE, always=selected):
            token = chosen if at == selected and chosen is not None else rows.first + at * rows.each
            middle = body.top() + float(top[at] + bottom[at]) / 2
            if not body.top() - 1 <= middle <= body.bottom() + 1:
                continue
            name = visible(names[token], limit=16) if token < len(names) else str(token)
            painter.setPen(self._palette.colour("text" if at == selected else "muted"))
            area = QRectF(8, middle - LINE / 2, LEFT - 16, LINE)
            shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(area.width()))
            painter.drawText(area, FROM_RIGHT, shown)

    def _paint_experts(self, painter: QPainter, chosen: int | None) -> None:
        layout, columns = self._layout, self._layout.columns
        always = None if chosen is None else columns.place_of(chosen)
        width = painter.fontMetrics().horizontalAdvance(str(len(columns.order))) + 5.0
        for place in labelled_columns(columns, width=width, always=always):
            middle = sum(layout.column(place)) / 2
            if layout.body.left() <= middle <= layout.body.right():
                painter.setPen(self._palette.colour("text" if place == always else "muted"))
                painter.drawText(QRectF(middle - 20, 6, 40, TOP - 8), CENTRE, str(columns.order[place]))

    def _paint_columns_apart(self, painter: QPainter) -> None:
        """Names of the shared experts and of the column at the right."""
        layout = self._layout
        painter.setPen(self._palette.colour("muted"))
        for index in range(layout.grid.shared):
            area = QRectF(layout.shared_left(index) - 8, 6, SHARED_WIDTH + 16, TOP - 8)
            painter.drawText(area, CENTRE, f"S{index}")
        if layout.grid.side is not None:
            area = QRectF(layout.width - RIGHT - SIDE_ROOM, 6, SIDE_ROOM, TOP - 8)
            painter.drawText(area, CENTRE, self._words.side)

    def _paint_devices(self, painter: QPainter) -> None:
        """A line in each device's colour under its experts, and its name where it fits."""
        body, metrics = self._layout.body, painter.fontMetrics()
        free = -np.inf
        for device, left, right in self._device_spans():
            ink = self._palette.category(device) if device >= 0 else self._palette.colour("line")
            painter.fillRect(QRectF(left, body.bottom() + 5, right - left, 3), ink)
            name = self._words.device.format(device) if device >= 0 else self._words.zero
            if metrics.horizontalAdvance(name) > right - left:
                name = str(device) if device >= 0 else "0"
            half, middle = metrics.horizontalAdvance(name) / 2, (left + right) / 2
            if middle - half >= free:
                free = middle + half + 5
                painter.setPen(self._palette.colour("muted"))
                painter.drawText(QRectF(middle - half - 2, body.bottom() + 10, 2 * half + 4, LINE), CENTRE, name)

    def _device_spans(self) -> list[tuple[int, float, float]]:
        """Device, left and right end of every run of columns that share a device, cut to the body."""
        layout = self._layout
        device = layout.grid.expert_device[layout.columns.order]
        starts = np.flatnonzero(np.diff(device, prepend=-2))
        ends = np.append(starts[1:], len(device)) - 1
        spans = [
            (
                int(device[start]),
                max(layout.body.left(), layout.column(int(start))[0]),
                min(layout.body.right(), layout.column(int(end))[1]),
            )
            for start, end in zip(starts, ends, strict=True)
        ]
        return [span for span in spans if span[2] > span[1]]

    def _paint_key(self, painter: QPainter) -> None:
        """The colour map and its two ends, in the corner under the row names."""
        low, high = self._layout.grid.key
        metrics, y = painter.fontMetrics(), self._layout.body.bottom() + 10
        start = 12.0 + metrics.horizontalAdvance(low) + 4
        end = LEFT - 8.0 - metrics.horizontalAdvance(high) - 4
        painter.setPen(self._palette.colour("muted"))
        painter.drawText(QRectF(12, y, 40, LINE), Qt.AlignmentFlag.AlignVCenter, low)
        painter.drawText(QRectF(0, y, LEFT - 8, LINE), FROM_RIGHT, high)
        if end - start >= 8:
            table = sequential_table(self._palette.sequential)
            painter.drawImage(QRectF(start, y + 4, end - start, 6), image_of(table[None, :, :], 1.0))
        if self._layout.grid.has_nan:
            painter.setPen(self._palette.colour("nan"))
            painter.drawText(QRectF(12, 6, LEFT - 20, TOP - 8), Qt.AlignmentFlag.AlignVCenter, self._words.nan)

    def _paint_marks(self, painter: QPainter, marks: Marks) -> None:
        layout, palette = self._layout, self._palette
        hovered = None if marks.hovered_row is None else layout.row_frame(marks.hovered_row)
        column = None if marks.expert is None else layout.column_frame(marks.expert)
        row = None if marks.row is None else layout.row_frame(marks.row)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for frame, pen in (
            (hovered, QPen(palette.colour("muted", 0.6), 1)),
            (column, QPen(palette.colour("accent", 0.75), 1)),
            (row, QPen(palette.colour("accent"), 1.5)),
        ):
            if frame is not None:
                painter.setPen(pen)
                painter.drawRect(frame)


def _blend(one: QColor, other: QColor, part: float) -> QColor:
    channels = [(one.redF(), other.redF()), (one.greenF(), other.greenF()), (one.blueF(), other.blueF())]
    return QColor.fromRgbF(*(low + part * (high - low) for low, high in channels))
