"""The canvas all plots share: pyqtgraph with our palette, our keys and our manners.

Wheel zooms at the cursor, drag pans, F fits, 0 resets. Plots have no boxes, three to five ticks,
and colours from the palette.
"""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QTransform
from PySide6.QtWidgets import QWidget

from widgets.palette import Palette

TICK_SIZE = 8


class Plot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph comes without types
    """A plot without box, menu or auto-range button.

    Signals: `hovered(QPointF)` and `clicked(QPointF)` in data coordinates; `left()` when the mouse leaves.
    """

    hovered = Signal(QPointF)
    clicked = Signal(QPointF)
    left = Signal()

    def __init__(self, parent: QWidget | None = None, *, axis_items: dict[str, pg.AxisItem] | None = None) -> None:
        super().__init__(parent, axisItems=axis_items or {}, enableMenu=False)
        self.hideButtons()
        self.setFrameShape(self.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        for side in ("left", "bottom"):
            self.getAxis(side).setStyle(tickLength=0, autoExpandTextSpace=False)
        self.scene().sigMouseMoved.connect(self._moved)
        self.scene().sigMouseClicked.connect(self._clicked)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours of background, axes and ticks."""
        self.setBackground(palette.colour("surface"))
        font = QFont(self.font())
        font.setPointSizeF(TICK_SIZE)
        for side in ("left", "bottom", "top", "right"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(None))
            axis.setTextPen(palette.colour("muted"))
            axis.setTickFont(font)

    def fit(self) -> None:
        """Show everything; views with limits of their own override it."""
        self.autoRange(padding=0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_F, Qt.Key.Key_0):
            self.fit()
            event.accept()
            return
        super().keyPressEvent(event)

    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self.left.emit()

    def _moved(self, place: QPointF) -> None:
        if self.getViewBox().sceneBoundingRect().contains(place):
            self.hovered.emit(self.getViewBox().mapSceneToView(place))

    def _clicked(self, event: object) -> None:
        place = event.scenePos()  # type: ignore[attr-defined]  # pyqtgraph's own event class
        if self.getViewBox().sceneBoundingRect().contains(place):
            self.clicked.emit(self.getViewBox().mapSceneToView(place))


class CellImage(pg.ImageItem):  # type: ignore[misc]  # pyqtgraph comes without types
    """A picture of cells, already coloured: no smoothing, no levels, row 0 at the top of the data range."""

    def __init__(self) -> None:
        super().__init__(axisOrder="row-major")

    def show_cells(self, rgba: NDArray[np.uint8], *, left: float, top: float, cell: tuple[float, float]) -> None:
        """Draw [rows, columns, 4] with its corner at (left, top); `cell` is (height, width) in data units."""
        transform = QTransform()
        transform.translate(left, top)
        transform.scale(cell[1], cell[0])
        self.setTransform(transform)
        self.setImage(np.ascontiguousarray(rgba), autoLevels=False, levels=None)
