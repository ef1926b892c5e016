"""All heads of a layer as thumbnails: the chosen one framed, a click chooses another."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from widgets.attention.colour_scale import cell_image, fewer_cells, marked, scale_for
from widgets.attention.data import HeadGallery
from widgets.attention.map_painting import sharp
from widgets.palette import DARK, Palette

GAP = 6
LARGEST, SMALLEST = 76, 24
ROOMY = 40  # pixels; on a smaller thumbnail the number is smaller too


def grid(count: int, *, width: int, height: int) -> tuple[int, int]:
    """(columns, side of a thumbnail): the largest that fit, the smallest allowed when they have to scroll."""
    for columns in range(1, max(count, 1) + 1):
        side = min((width - (columns - 1) * GAP) // columns, LARGEST)
        rows = max(-(-count // columns), 1)
        if side >= SMALLEST and rows * side + (rows - 1) * GAP <= height:
            return max(-(-count // rows), 1), side  # as many in each row as can be
    columns = max((width + GAP) // (SMALLEST + GAP), 1)
    return columns, max(min((width - (columns - 1) * GAP) // columns, LARGEST), 12)


def grid_height(count: int, *, columns: int, side: int) -> int:
    """Pixels that the rows of a grid need."""
    rows = -(-count // columns)
    return max(rows * side + (rows - 1) * GAP, 0)


class Thumbnails(QWidget):
    """The thumbnails themselves.

    Signals: `head_chosen(int)`; `head_hovered(object)`, a head or None.
    """

    head_chosen = Signal(int)
    head_hovered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Heads of the layer"))
        self._palette: Palette = DARK
        self._gallery: HeadGallery | None = None
        self._images: list[QImage] = []
        self._head = 0
        self._hover: int | None = None
        self._columns, self._side, self._pixels = 1, SMALLEST, 0

    def show_gallery(self, gallery: HeadGallery | None) -> None:
        """Draw these heads, or none."""
        self._gallery = gallery
        self._recolour()

    def show_head(self, head: int) -> None:
        """Frame the chosen head."""
        if head != self._head:
            self._head = head
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self._recolour()

    def count(self) -> int:
        """How many heads there are."""
        return len(self._gallery.heads) if self._gallery is not None else 0

    def arrange(self, width: int, height: int) -> int:
        """Choose the grid for this room; returns the height it needs."""
        self._columns, self._side = grid(self.count(), width=width, height=height)
        needed = grid_height(self.count(), columns=self._columns, side=self._side)
        self.setFixedHeight(max(needed, 1))
        if int(self._side * self.devicePixelRatioF()) != self._pixels:
            self._recolour()
        self.update()
        return needed

    def row_height(self) -> int:
        """From one row to the next, in pixels."""
        return self._side + GAP

    def box(self, index: int) -> QRect:
        """Where a thumbnail lies."""
        row, column = divmod(index, self._columns)
        corner = QPoint(column * (self._side + GAP), row * (self._side + GAP))
        return QRect(corner, QSize(self._side, self._side))

    def box_of(self, head: int) -> QRect | None:
        """Where a head's thumbnail lies; None when it is not shown."""
        if self._gallery is None or head not in self._gallery.heads:
            return None
        return self.box(self._gallery.heads.index(head))

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._gallery is None:
            return
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(10 if self._side >= ROOMY else 9)
        painter.setFont(font)
        for index, head in enumerate(self._gallery.heads):
            box = self.box(index)
            if box.intersects(event.rect().adjusted(-2, -2, 2, 2)):
                painter.drawImage(box, sharp(self._images[index], painter))
                self._paint_number(painter, box, head)
                self._paint_frame(painter, box, head)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        head = self._head_at(event.position().toPoint())
        if head is not None:
            self.head_chosen.emit(head)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._head_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._columns,
            Qt.Key.Key_Down: self._columns,
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None or self._gallery is None or self._head not in self._gallery.heads:
            super().keyPressEvent(event)
            return
        target = self._gallery.heads.index(self._head) + step
        if 0 <= target < self.count():
            self.head_chosen.emit(self._gallery.heads[target])

    def _paint_number(self, painter: QPainter, box: QRect, head: int) -> None:
        # The upper right corner is always masked: nothing is hidden there.
        if box.width() >= SMALLEST:
            painter.setPen(self._palette.colour("text" if head == self._head else "muted"))
            corner = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
            edge = 4 if box.width() >= ROOMY else 2
            painter.drawText(box.adjusted(0, edge // 2, -edge, 0), corner, str(head))

    def _paint_frame(self, painter: QPainter, box: QRect, head: int) -> None:
        if head == self._head:
            painter.setPen(QPen(self._palette.colour("accent"), 2))
            painter.drawRect(box.adjusted(1, 1, -1, -1))
        elif head == self._hover:
            painter.setPen(QPen(self._palette.colour("faint"), 1))
            painter.drawRect(box.adjusted(0, 0, -1, -1))

    def _head_at(self, place: QPoint) -> int | None:
        if self._gallery is None:
            return None
        found = (head for index, head in enumerate(self._gallery.heads) if self.box(index).contains(place))
        return next(found, None)

    def _set_hover(self, head: int | None) -> None:
        if head != self._hover:
            self._hover = head
            self.update()
            self.head_hovered.emit(head)

    def _recolour(self) -> None:
        self._images = []
        if self._gallery is not None:
            values = _marked(self._gallery)
            scale = scale_for(self._gallery.quantity, values)
            # A thumbnail has few pixels: the strongest cell of each wins, none is dropped by chance.
            self._pixels = int(self._side * self.devicePixelRatioF())
            cells = scale.cells(fewer_cells(values, self._pixels), self._palette)
            self._images = [cell_image(cells[index]) for index in range(len(cells))]
        self.update()


def _marked(gallery: HeadGallery) -> NDArray[np.float32]:
    """The values, what is not a number marked; a gallery is pooled alike along both axes."""
    _, rows, columns = gallery.values.shape
    spans = (gallery.queries[1] - gallery.queries[0], gallery.keys[1] - gallery.keys[0])
    cell = (-(-spans[0] // max(rows, 1)), -(-spans[1] // max(columns, 1)))
    return marked(gallery.values, queries=gallery.queries, keys=gallery.keys, cell=cell)


def scrolled(thumbnails: Thumbnails, parent: QWidget) -> QScrollArea:
    """The thumbnails in a frameless area that scrolls when there are too many."""
    area = QScrollArea(parent)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(thumbnails)
    # A scroll area fills what it is given; the panel's own surface should show.
    area.viewport().setAutoFillBackground(False)
    thumbnails.setAutoFillBackground(False)
    return area
