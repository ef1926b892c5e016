"""The runs of this session, newest first as they are given; the one shown is marked."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from widgets.palette import DARK, Palette
from widgets.plain_text import plain_tooltip
from widgets.token_text import visible

Run = tuple[str, str, str, bool]
ROW, MOST_ROWS, DOT = 22, 6, 8.0
KEY, DETAIL, CURRENT = (int(Qt.ItemDataRole.UserRole) + offset for offset in range(3))
Index = QModelIndex | QPersistentModelIndex


class RunList(QListWidget):
    """Rows of a dot, a title and a detail.

    Signals: `chosen(str)`, the key of the run a person asks for.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: list[Run] = []
        self._rows = _RunRow(self)
        self.setItemDelegate(self._rows)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Runs"))
        self.viewport().setAutoFillBackground(False)
        self.itemClicked.connect(self._choose)
        self.itemActivated.connect(self._choose)
        self.show_runs([])

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._rows.palette = palette
        self.viewport().update()

    def show_runs(self, runs: list[Run]) -> None:
        """Show (key, title, detail, whether it is the one on screen)."""
        if runs == self._runs and self.count():
            return
        same_keys = [run[0] for run in runs] == [run[0] for run in self._runs]
        self._runs = list(runs)
        if not same_keys:
            self.clear()
        for index, run in enumerate(runs):
            if not same_keys:
                self.addItem(QListWidgetItem())
            _fill(self.item(index), run)
        self.setFixedHeight(ROW * min(max(len(runs), 1), MOST_ROWS))

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(KEY))


def _fill(item: QListWidgetItem, run: Run) -> None:
    key, title, detail, current = run
    item.setText(visible(title, limit=60, keep_inner_spaces=True))
    item.setData(KEY, key)
    item.setData(DETAIL, detail)
    item.setData(CURRENT, current)
    item.setToolTip(plain_tooltip(f"{title}\n{detail}"))


class _RunRow(QStyledItemDelegate):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette: Palette = DARK

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(80, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        area = QRectF(option.rect)
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(self.palette.colour("accent"), 1.0))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.palette.colour("raised"))
            painter.drawRoundedRect(area, 4, 4)
        self._paint_words(painter, area=area, index=index)
        painter.restore()

    def _paint_words(self, painter: QPainter, *, area: QRectF, index: Index) -> None:
        current = bool(index.data(CURRENT))
        ink = self.palette.colour("text" if current else "muted")
        painter.setPen(QPen(ink, 1.2))
        painter.setBrush(ink if current else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(area.left() + 6, area.center().y()), DOT / 2 - 0.6, DOT / 2 - 0.6)
        metrics = painter.fontMetrics()
        detail = str(index.data(DETAIL))
        width = metrics.horizontalAdvance(detail)
        painter.setPen(self.palette.colour("muted"))
        painter.drawText(
            area.adjusted(0, 0, -4, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, detail
        )
        painter.setPen(self.palette.colour("text"))
        room = area.adjusted(17, 0, -(width + 16), 0)
        title = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, title)
