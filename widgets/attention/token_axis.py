"""Token labels along an axis: as many as fit, never overlapping, the selected one always."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from widgets.token_text import visible

TEXT_STRIDES = (1, 2, 3, 4, 5, 6, 8)
TILT = 60.0  # degrees that the labels under the map lean


@dataclass(frozen=True, slots=True)
class Label:
    """A token's label, `place` pixels along the axis (its cell's middle)."""

    token: int
    place: float
    text: str
    kept: bool = False


def stride_for(scale: float, pitch: float) -> int:
    """Every how many tokens a label fits, at `scale` pixels a token and `pitch` pixels a label."""
    needed = pitch / max(scale, 1e-9)
    for stride in TEXT_STRIDES:
        if stride >= needed:
            return stride
    power = 10 ** math.floor(math.log10(needed))
    return int(next(step * power for step in (1, 2, 5, 10) if step * power >= needed))


def axis_labels(
    texts: Sequence[str],
    *,
    first: float,
    scale: float,
    length: float,
    pitch: float,
    kept: Sequence[int | None],
    tokens: int,
) -> list[Label]:
    """Labels of an axis that begins at token `first` and is `length` pixels long.

    The tokens `kept` come before all others, the first of them before the next.

    Where fewer than every eighth token has room, numbers tell more than words, so they stand alone.
    """
    stride = stride_for(scale, pitch)
    start = max(int(first), 0) // stride * stride
    end = min(tokens, int(first + length / scale) + 1)
    placed: list[Label] = []
    for token in (*kept, *range(start, end, stride)):
        if token is None or not 0 <= token < tokens:
            continue
        place = (token + 0.5 - first) * scale
        rivals = placed if token in kept else [label for label in placed if label.kept]
        if 0 <= place <= length and all(abs(place - rival.place) >= pitch for rival in rivals):
            placed.append(Label(token, place, _words(texts, token, stride, token in kept), token in kept))
    return placed


def _words(texts: Sequence[str], token: int, stride: int, kept: bool) -> str:
    if stride <= TEXT_STRIDES[-1]:
        return label_text(texts, token)
    return f"{label_text(texts, token)} {token}" if kept else f"{token:,}"


def label_text(texts: Sequence[str], token: int) -> str:
    """A token's text, short enough for an axis."""
    return visible(texts[token], limit=12) if token < len(texts) else ""


def paint_left(painter: QPainter, label: Label, *, right: float, top: float, width: float, ink: QColor) -> None:
    """Right-aligned beside the row; `right` and `top` are the map's edges."""
    metrics = QFontMetricsF(painter.font())
    text = metrics.elidedText(label.text, Qt.TextElideMode.ElideRight, width)
    height = metrics.height()
    box = QRectF(right - width, top + label.place - height / 2, width, height)
    painter.setPen(ink)
    painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)


def paint_below(painter: QPainter, label: Label, *, left: float, top: float, width: float, ink: QColor) -> None:
    """Leaning, its end under the column; `left` is the map's left and `top` where labels may start."""
    metrics = QFontMetricsF(painter.font())
    text = metrics.elidedText(label.text, Qt.TextElideMode.ElideRight, width)
    height = metrics.height()
    painter.save()
    painter.translate(QPointF(left + label.place, top))
    painter.rotate(-TILT)
    painter.setPen(ink)
    box = QRectF(-width - 1, -height / 2, width, height)
    painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
    painter.restore()


def pitches(font: QFont) -> tuple[float, float]:
    """Pixels a label needs along the left axis and along the bottom axis."""
    height = QFontMetricsF(font).height()
    return height, height / math.sin(math.radians(TILT))
