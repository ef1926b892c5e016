"""Attention made by hand for the tests of the view."""

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from widgets.attention.data import AttentionMap, HeadGallery, RowProfile


def texts(count):
    return [f" t{index}" for index in range(count)]


def causal(count, value=0.25):
    return np.where(np.tri(count) > 0, value, np.nan).astype(np.float32)


def whole_map(count=12, *, values=None, **changes):
    fields = {
        "layer": 5, "head": 3, "queries": (0, count), "keys": (0, count), "quantity": "probability",
        "reduction": "max", "cell": (1, 1), "values": causal(count) if values is None else values,
    }  # fmt: skip
    return AttentionMap(**(fields | changes))


def gallery(heads=8, cells=12, layer=5, quantity="probability"):
    values = np.stack([causal(cells, (head + 1) / heads) for head in range(heads)])
    return HeadGallery(
        layer=layer, heads=tuple(range(heads)), queries=(0, cells), keys=(0, cells), quantity=quantity, values=values
    )


def profile(query=7, layer=5, head=3):
    random = np.random.default_rng(query)
    probabilities = random.dirichlet(np.ones(query + 1)).astype(np.float32)
    scores = random.normal(0, 2, (2, query + 1)).astype(np.float32)
    return RowProfile(
        layer=layer, head=head, query=query, probabilities=probabilities, content_scores=scores[0],
        position_scores=scores[1],
    )  # fmt: skip


def mouse(widget, kind, place, *, held=False):
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    where = QPointF(place)
    event = QMouseEvent(
        kind, where, widget.mapToGlobal(where), button, left if held else none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(widget, event)


def click(widget, place):
    mouse(widget, QEvent.Type.MouseButtonPress, place, held=True)
    mouse(widget, QEvent.Type.MouseButtonRelease, place)


def wheel(widget, place, turns):
    where = QPointF(place)
    event = QWheelEvent(
        where, widget.mapToGlobal(where), QPoint(), QPoint(0, 120 * turns), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
