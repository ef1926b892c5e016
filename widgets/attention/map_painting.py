"""The marks of the attention map: cells, frames, crosshair, labels and bar, on any painter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QImage, QLinearGradient, QPaintEngine, QPainter, QPen, QPolygonF

from widgets.attention.colour_scale import ColourScale, cell_image
from widgets.attention.data import AttentionMap
from widgets.attention.map_layout import MapLayout
from widgets.attention.token_axis import axis_labels, paint_below, paint_left, pitches
from widgets.attention.viewport import Viewport
from widgets.palette import Palette

VECTOR_ENGINES = (QPaintEngine.Type.SVG, QPaintEngine.Type.Pdf, QPaintEngine.Type.Picture)
VECTOR_PIXELS = 1200


@dataclass(frozen=True, slots=True)
class MapScene:
    """Everything a picture of the map depends on, apart from the cells themselves."""

    layout: MapLayout
    view: Viewport
    palette: Palette
    texts: Sequence[str]
    tokens: int
    query: int | None
    hover: tuple[int, int] | None
    scale: ColourScale
    bar_notes: tuple[str, ...]
    nan_note: str = ""  # the legend of cells that are not numbers, where there are some


def paint_cells(painter: QPainter, scene: MapScene, layers: Sequence[tuple[AttentionMap, QImage]]) -> None:
    """The maps over one another, each in the place of its tokens; where none reaches, the background."""
    painter.save()
    square = scene.layout.square
    painter.fillRect(square, scene.palette.colour("background"))
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    for shown, image in layers:
        painter.setClipRect(square & scene.layout.to_square(scene.view, shown.keys, shown.queries))
        _paint_map(painter, scene, shown, image)
    painter.restore()


def _paint_map(painter: QPainter, scene: MapScene, shown: AttentionMap, image: QImage) -> None:
    """The cells in view only: a whole map behind a close view would be a million pixels wide."""
    rows, columns = shown.values.shape
    view = scene.view
    left, right = _cells_in_view(shown.keys[0], shown.cell[1], columns, view.left, view.span)
    top, bottom = _cells_in_view(shown.queries[0], shown.cell[0], rows, view.top, view.span)
    if left >= right or top >= bottom:
        return
    across = (shown.keys[0] + left * shown.cell[1], shown.keys[0] + right * shown.cell[1])
    down = (shown.queries[0] + top * shown.cell[0], shown.queries[0] + bottom * shown.cell[0])
    target = scene.layout.to_square(view, across, down)
    if (left, top, right, bottom) == (0, 0, columns, rows):
        painter.drawImage(target, sharp(image, painter))
        return
    part = QRect(left, top, right - left, bottom - top)
    engine = painter.paintEngine()
    if engine is not None and engine.type() in VECTOR_ENGINES:
        painter.drawImage(target, sharp(image.copy(part), painter))
    else:
        painter.drawImage(target, image, QRectF(part))


def _cells_in_view(first: int, size: int, count: int, start: float, span: float) -> tuple[int, int]:
    """The cells [a, b) of an axis that an interval of tokens touches."""
    return max(int((start - first) // size), 0), min(int((start + span - first) // size) + 1, count)


def sharp(image: QImage, painter: QPainter) -> QImage:
    """The image, with its cells repeated when it goes into a file whose viewers would smooth it."""
    engine = painter.paintEngine()
    if engine is None or engine.type() not in VECTOR_ENGINES or image.isNull():
        return image
    times = max(1, VECTOR_PIXELS // max(image.width(), image.height()))
    return image.scaled(image.width() * times, image.height() * times)


def paint_causal_edge(painter: QPainter, scene: MapScene) -> None:
    """The stairs between what a query sees and the future; needed where zero is as pale as the background."""
    if scene.tokens == 0:
        return
    layout, view = scene.layout, scene.view
    first = max(int(min(view.left, view.top)), 0)
    last = min(int(max(view.left, view.top) + view.span) + 1, scene.tokens)
    step = max(1, int(2 * view.span / layout.square.width()))
    corners = QPolygonF()
    for token in range(first, last, step):
        box = layout.to_square(view, (token, token + step), (token, token + step))
        corners.append(box.topLeft())
        corners.append(box.topRight())
    painter.save()
    painter.setClipRect(layout.square)
    painter.setPen(QPen(scene.palette.colour("faint", 0.6), 1))
    painter.drawPolyline(corners)
    painter.restore()


def paint_marks(painter: QPainter, scene: MapScene, cell: tuple[int, int], origin: tuple[int, int]) -> None:
    """The crosshair under the mouse and the frame of the selected query, over whole cells of the map."""
    painter.save()
    painter.setClipRect(scene.layout.square.adjusted(-2, -2, 2, 2))
    if scene.hover is not None:
        _paint_crosshair(painter, scene, cell, origin)
    if scene.query is not None and scene.query < scene.tokens:
        row = _band(scene, scene.query, cell[0], origin[0])
        square = scene.layout.square
        if row.bottom() > square.top() and row.top() < square.bottom():
            frame = QRectF(square.left(), row.top(), square.width(), row.height()).adjusted(-0.75, 0, 0.75, 0)
            spare = max(4.0 - frame.height(), 0.0) / 2
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(scene.palette.colour("accent"), 1.5))
            painter.drawRect(frame.adjusted(0, -0.75 - spare, 0, 0.75 + spare))
    painter.restore()


def paint_labels(painter: QPainter, scene: MapScene) -> None:
    """Token labels on both axes; the selected one and those under the mouse in the text's own ink."""
    layout, view = scene.layout, scene.view
    scale = layout.square.width() / view.span
    pitch_left, pitch_below = pitches(painter.font())
    right, bottom = layout.square.left() - 6, layout.square.bottom() + 6
    hover_query, hover_key = scene.hover if scene.hover is not None else (None, None)
    rows = axis_labels(
        scene.texts,
        first=view.top,
        scale=scale,
        length=layout.square.height(),
        pitch=pitch_left,
        kept=(hover_query, scene.query),
        tokens=scene.tokens,
    )
    columns = axis_labels(
        scene.texts,
        first=view.left,
        scale=scale,
        length=layout.square.width(),
        pitch=pitch_below,
        kept=(hover_key,),
        tokens=scene.tokens,
    )
    for label in rows:
        ink = scene.palette.colour("text" if label.kept else "muted")
        paint_left(painter, label, right=right, top=layout.square.top(), width=layout.label_width, ink=ink)
    for label in columns:
        ink = scene.palette.colour("text" if label.kept else "muted")
        paint_below(painter, label, left=layout.square.left(), top=bottom, width=layout.tilted_width, ink=ink)


def paint_bar(painter: QPainter, scene: MapScene) -> None:
    """The colour bar: its ticks at the right; under it the name of its scale and how cells were pooled."""
    palette, height = scene.palette, painter.fontMetrics().height()
    notes = (*scene.bar_notes, scene.nan_note) if scene.nan_note else scene.bar_notes
    # The bar gives way to its notes where the labels below the map leave too little room for them.
    bar = scene.layout.bar.adjusted(0, 0, 0, min(scene.layout.tilted_width - height * (0.75 + len(notes)), 0.0))
    table: NDArray[np.uint8] = scene.scale.table(palette)
    engine = painter.paintEngine()
    if engine is not None and engine.type() in VECTOR_ENGINES:
        painter.fillRect(bar, _gradient(table, bar))
    else:
        painter.drawImage(bar, cell_image(np.ascontiguousarray(table[::-1, np.newaxis, :])))
    painter.setPen(QPen(palette.colour("line"), 1))
    painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))
    painter.setPen(palette.colour("muted"))
    least = None
    for place, text in scene.scale.ticks():
        middle = bar.bottom() - place * bar.height()
        if least is not None and least - middle < height and place != 1.0:
            continue
        least = middle
        painter.drawText(QRectF(bar.right() + 6, middle - height / 2, 40, height), Qt.AlignmentFlag.AlignVCenter, text)
    for line, note in enumerate(notes):
        top = bar.bottom() + height * (0.75 + line)
        painter.setPen(palette.colour("nan" if line == len(scene.bar_notes) else "muted"))
        painter.drawText(QPointF(bar.left() - 2, top + painter.fontMetrics().ascent()), note)


def _gradient(table: NDArray[np.uint8], bar: QRectF) -> QBrush:
    gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
    for index in range(0, 256, 17):
        red, green, blue, _alpha = table[index].tolist()
        gradient.setColorAt(index / 255, _rgb(red, green, blue))
    return QBrush(gradient)


def _rgb(red: int, green: int, blue: int) -> str:
    return f"#{red:02x}{green:02x}{blue:02x}"


def _band(scene: MapScene, token: int, size: int, origin: int) -> QRectF:
    first = token - (token - origin) % size if token >= origin else token
    edge = scene.view.left, scene.view.left + scene.view.span
    return scene.layout.to_square(scene.view, edge, (first, min(first + size, max(scene.tokens, first + 1))))


def _paint_crosshair(painter: QPainter, scene: MapScene, cell: tuple[int, int], origin: tuple[int, int]) -> None:
    if scene.hover is None:
        return
    query, key = scene.hover
    across = scene.view.left, scene.view.left + scene.view.span
    down = scene.view.top, scene.view.top + scene.view.span
    rows = _block(query, cell[0], origin[0], scene.tokens)
    columns = _block(key, cell[1], origin[1], scene.tokens)
    tint = scene.palette.colour("text", 0.13)
    painter.fillRect(scene.layout.to_square(scene.view, across, rows), tint)
    painter.fillRect(scene.layout.to_square(scene.view, columns, down), tint)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(scene.palette.colour("text", 0.7), 1))
    painter.drawRect(scene.layout.to_square(scene.view, columns, rows))


def _block(token: int, size: int, origin: int, tokens: int) -> tuple[int, int]:
    first = token - (token - origin) % size if token >= origin else token
    return first, max(min(first + size, tokens), first + 1)
