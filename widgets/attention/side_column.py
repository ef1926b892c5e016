"""The column beside the map: the layer's heads above, what the selected query looks at below."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from widgets.attention.head_gallery import GAP, Thumbnails, scrolled
from widgets.attention.row_profile import RowBars
from widgets.panel import ElidedLabel

HEADING = 18
SPACE = 8
SCROLL_BAR = 12


class SideColumn(QWidget):
    """Two headed parts that share the height: the gallery takes what it needs, up to half."""

    def __init__(self, thumbnails: Thumbnails, bars: RowBars, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails, self._bars = thumbnails, bars
        self._heads_title = _heading(self)
        self._row_title = _heading(self)
        self._area = scrolled(thumbnails, self)
        bars.setParent(self)

    def show_titles(self, heads: str, row: str) -> None:
        """The words over the two parts."""
        self._heads_title.set_full_text(heads)
        self._row_title.set_full_text(row)

    def reveal(self, head: int) -> None:
        """Scroll until a head's thumbnail is in view."""
        box = self._thumbnails.box_of(head)
        if box is not None:
            self._area.ensureVisible(box.center().x(), box.center().y(), 0, box.height() // 2 + 1)

    def arrange(self) -> None:
        """Share the height anew; after the number of heads or the size changed."""
        width, height = self.width(), self.height()
        top = HEADING + SPACE
        most = max((height - 2 * top - SPACE) // 2, 30)
        needed = self._thumbnails.arrange(width, most)
        if needed > most:
            needed = self._thumbnails.arrange(width - SCROLL_BAR, most)
        pitch = self._thumbnails.row_height()
        shown = needed if needed <= most else max((most + GAP) // pitch, 1) * pitch - GAP  # whole rows only
        self._heads_title.setGeometry(0, 0, width, HEADING)
        self._area.setGeometry(0, top, width, shown)
        below = top + shown + 2 * SPACE
        self._row_title.setGeometry(0, below, width, HEADING)
        self._bars.setGeometry(0, below + HEADING + SPACE // 2, width, max(height - below - HEADING - SPACE // 2, 0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()


def _heading(parent: QWidget) -> ElidedLabel:
    label = ElidedLabel("", parent)
    label.setProperty("role", "section")
    return label
