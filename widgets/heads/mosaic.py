"""All heads of a layer, or of all layers, as small maps: painted and asked for only where they are in view."""

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from widgets.attention.colour_scale import ColourScale, fewer_cells, value_image
from widgets.attention.map_painting import sharp
from widgets.heads.data import HeadScores, Place, how_computed, label_name, ordered, score_name, score_text
from widgets.heads.mosaic_layout import CAPTION, GAP, MosaicLayout, lay_out
from widgets.palette import DARK, Palette
from widgets.plain_text import plain_tooltip

MOST_IMAGES = 16384  # at 32 × 32 pixels 64 MB
BAR = 12  # pixels of the scroll bar
ASK_AFTER = 40  # milliseconds without scrolling


class Mosaic(QAbstractScrollArea):
    """Thumbnails in rows.

    Signals: `head_chosen(int, int)` and `head_hovered(object)`: layer and head, or None; `layers_wanted(object)`: the
    layers in view, those first of which a picture is missing.
    """

    head_chosen = Signal(int, int)
    head_hovered = Signal(object)
    layers_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Heads as small maps"))
        self._palette: Palette = DARK
        self._places: list[Place] = []
        self._scores: HeadScores | None = None
        self._order, self._ascending = "model", False
        self._values: OrderedDict[Place, NDArray[np.float32]] = OrderedDict()
        self._images: dict[Place, QImage] = {}
        self._chosen: Place = (0, 0)
        self._hover: Place | None = None
        self._layout = MosaicLayout((), 32, 0, False)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(ASK_AFTER)
        self._soon.timeout.connect(self._ask)
        self.verticalScrollBar().valueChanged.connect(lambda _value: self._soon.start())

    def show_places(self, places: list[Place]) -> None:
        """The heads there are to show, layer by layer."""
        if places != self._places:
            self._places = places
            self._arrange()

    def show_thumbnails(self, thumbnails: Mapping[Place, NDArray[np.float32]]) -> None:
        """Small maps of heads, probabilities float32 [rows, columns] each, NaN where masked."""
        for place, values in thumbnails.items():
            self._values[place] = values
            self._values.move_to_end(place)
            self._images.pop(place, None)
        while len(self._values) > MOST_IMAGES:
            self._images.pop(self._values.popitem(last=False)[0], None)
        self.viewport().update()

    def forget(self) -> None:
        """Drop all small maps: they were of another run, or of fewer tokens."""
        self._values.clear()
        self._images.clear()
        self._soon.start()
        self.viewport().update()

    def show_scores(self, scores: HeadScores | None) -> None:
        """The scores to sort and to label by."""
        self._scores = scores
        self._arrange()

    def show_order(self, order: str, *, ascending: bool = False) -> None:
        """Sort by a score, or as the model has them."""
        if (order, ascending) != (self._order, self._ascending):
            self._order, self._ascending = order, ascending
            self.verticalScrollBar().setValue(0)
            self._arrange()

    def show_selection(self, layer: int, head: int) -> None:
        """Frame the chosen head."""
        if (layer, head) != self._chosen:
            self._chosen = (layer, head)
            self.viewport().update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self._images.clear()
        self.viewport().update()

    def layout_now(self) -> MosaicLayout:
        """Where everything lies, from the top of the scrolled contents."""
        return self._layout

    def visible(self) -> list[Place]:
        """The places in view, from the top."""
        top = self.verticalScrollBar().value()
        return [place for _, _, place in self._layout.between(top, top + self.viewport().height())]

    def filled(self) -> int:
        """How many heads have their picture."""
        return sum(1 for place in self._places if place in self._values)

    def missing(self) -> list[Place]:
        """The places in view without a picture."""
        return [place for place in self.visible() if place not in self._values]

    def place_at(self, point: QPoint) -> Place | None:
        """The head under a point of the viewport."""
        return self._layout.at(point.x(), point.y() + self.verticalScrollBar().value())

    def box_of(self, place: Place) -> QRect | None:
        """Where a head lies in the viewport."""
        found = self._layout.find(place)
        return self._layout.box(*found).translated(0, -self.verticalScrollBar().value()) if found else None

    def reveal(self, place: Place) -> None:
        """Scroll until a head is in view."""
        found, bar = self._layout.find(place), self.verticalScrollBar()
        if found:
            top = found[0] * self._layout.pitch
            if not bar.value() <= top <= bar.value() + self.viewport().height() - self._layout.pitch:
                bar.setValue(top - self.viewport().height() // 3)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        scroll = self.verticalScrollBar().value()
        painter.translate(0, -scroll)
        self._paint_gutter(painter, scroll)
        for row, column, place in self._layout.between(scroll, scroll + self.viewport().height()):
            self._paint_thumbnail(painter, self._layout.box(row, column), place)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.place_at(event.position().toPoint())
        if place is not None:
            self.head_chosen.emit(*place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self.place_at(event.position().toPoint()))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._set_hover(None)
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        found = self._layout.find(self._chosen)
        steps = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
        step = steps.get(Qt.Key(event.key()))
        if step is None or found is None:
            super().keyPressEvent(event)
            return
        row = min(max(found[0] + step[0], 0), len(self._layout.rows) - 1)
        column = min(max(found[1] + step[1], 0), len(self._layout.rows[row]) - 1)
        self.head_chosen.emit(*self._layout.rows[row][column])
        self.reveal(self._layout.rows[row][column])

    def _arrange(self) -> None:
        places = ordered(self._places, self._scores, self._order, ascending=self._ascending)
        several = len({layer for layer, _ in self._places}) > 1
        # The bar's room is kept also while there is none: else its coming and going would never end.
        size = self.size() - QSize(BAR, 0)
        by_layer = several and self._order == "model"
        made = lay_out(places, width=size.width(), height=size.height(), by_layer=by_layer)
        if made.side != self._layout.side:
            self._images.clear()
        self._layout = made
        self.verticalScrollBar().setRange(0, max(made.height - GAP - size.height(), 0))
        self.verticalScrollBar().setPageStep(max(size.height(), 1))
        self.verticalScrollBar().setSingleStep(made.pitch)
        self._soon.start()
        self.viewport().update()

    def _ask(self) -> None:
        if self.isVisible() and self._places:
            missing = [layer for layer, _ in self.missing()]
            self.layers_wanted.emit(tuple(dict.fromkeys((*missing, *(layer for layer, _ in self.visible())))))

    def _paint_gutter(self, painter: QPainter, scroll: int) -> None:
        if not self._layout.gutter:
            return
        layer = -1
        for row, column, place in self._layout.between(scroll, scroll + self.viewport().height()):
            if column == 0 and place[0] != layer:
                layer = place[0]
                box = self._layout.box(row, 0)
                painter.setPen(self._palette.colour("text" if layer == self._chosen[0] else "muted"))
                where = QRect(0, box.top(), self._layout.gutter - 8, min(box.height(), 18))
                painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, f"L{layer}")

    def _paint_thumbnail(self, painter: QPainter, box: QRect, place: Place) -> None:
        values = self._values.get(place)
        if values is None:
            painter.fillRect(box, self._palette.colour("background"))
        else:
            painter.drawImage(box, sharp(self._image(place, values), painter))
        if self._layout.captioned:
            self._paint_caption(painter, box, place)
        if place == self._chosen:
            painter.setPen(QPen(self._palette.colour("accent"), 2))
            painter.drawRect(box.adjusted(1, 1, -1, -1))
        elif place == self._hover:
            painter.setPen(QPen(self._palette.colour("faint"), 1))
            painter.drawRect(box.adjusted(0, 0, -1, -1))

    def _paint_caption(self, painter: QPainter, box: QRect, place: Place) -> None:
        """The head's number, and its label or the score it is sorted by."""
        name = f"{place[0]}·{place[1]}"
        told = self._told(place)
        metrics = painter.fontMetrics()
        line = QRect(box.left(), box.bottom() + 1, box.width(), CAPTION)
        painter.setPen(self._palette.colour("text" if place == self._chosen else "muted"))
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, name)
        room = line.adjusted(metrics.horizontalAdvance(name) + 6, 0, 0, 0)
        painter.setPen(self._palette.colour("muted"))
        shown = metrics.elidedText(told, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, shown)

    def _told(self, place: Place) -> str:
        if self._scores is None:
            return ""
        if self._order != "model":
            return score_text(self._order, self._scores.of(self._order, place))
        label = self._scores.labels.get(place)
        return "" if label is None else f"{label_name(label[0])} {label[1]:.2f}"

    def _image(self, place: Place, values: NDArray[np.float32]) -> QImage:
        if place not in self._images:
            # A thumbnail has few pixels: the strongest cell of each wins, none is dropped by chance.
            pixels = int(self._layout.side * self.devicePixelRatioF())
            fewer = fewer_cells(values[np.newaxis], pixels)[0]
            self._images[place] = value_image(fewer, ColourScale("probability"), self._palette)
        return self._images[place]

    def _set_hover(self, place: Place | None) -> None:
        if place != self._hover:
            self._hover = place
            self.viewport().setToolTip(plain_tooltip(self._explained(place), limit=1200) if place is not None else "")
            self.viewport().update()
            self.head_hovered.emit(place)

    def _explained(self, place: Place) -> str:
        """Every score of a head, and how the one it is named after is computed."""
        if self._scores is None:
            return self.tr("layer {0} · head {1}").format(*place)
        return explained(self._scores, place)


def explained(scores: HeadScores, place: Place) -> str:
    """All scores of a head in words, each with how it is computed; for a tooltip."""
    lines = [QCoreApplication.translate("Heads", "layer {0} · head {1}").format(*place)]
    if place in scores.labels:
        lines[0] += " · " + label_name(scores.labels[place][0])
    if scores.basis:
        lines[0] += f" ({scores.basis})"
    for name in scores.values.get(place, {}):
        value = scores.of(name, place)
        if value == value:
            lines.append(f"{score_name(name)} {score_text(name, value)}: {how_computed(name)}")
    return "\n".join(lines)
