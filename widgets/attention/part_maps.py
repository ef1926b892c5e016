"""Content against position: the two maps of one head side by side, and under them the share of each, per query."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from widgets.attention.attention_map import MapPlot
from widgets.attention.data import AttentionMap, ScoreParts
from widgets.chart import Chart, ChartData, Series
from widgets.palette import Palette

HEADING, GAP, CHART = 18, 14, 92


class PartMaps(QWidget):
    """Two maps with one zoom.

    Signals: `query_chosen(int)`; `cell_hovered(object)`, (query, key) or None; `view_moved()`.
    """

    query_chosen = Signal(int)
    cell_hovered = Signal(object)
    view_moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content, self.position = MapPlot(self), MapPlot(self)
        self._titles = (QLabel(self.tr("CONTENT"), self), QLabel(self.tr("POSITION"), self))
        self._chart = Chart(self)
        self._parts: ScoreParts | None = None
        for title in self._titles:
            title.setProperty("role", "section")
        for plot, other in ((self.content, self.position), (self.position, self.content)):
            plot.query_chosen.connect(self.query_chosen)
            plot.cell_hovered.connect(self.cell_hovered)
            plot.view_moved.connect(lambda plot=plot, other=other: self._follow(plot, other))
        self._chart.chosen.connect(lambda index: self.query_chosen.emit(self._query_at(index)))
        self.show_parts(None)

    def plots(self) -> tuple[MapPlot, MapPlot]:
        """Content and position."""
        return self.content, self.position

    def show_tokens(self, texts: Sequence[str]) -> None:
        """All tokens so far."""
        for plot in self.plots():
            plot.show_tokens(texts)

    def show_map(self, shown: AttentionMap) -> None:
        """One of the two maps."""
        (self.content if shown.quantity == "content" else self.position).show_map(shown)

    def show_parts(self, parts: ScoreParts | None) -> None:
        """The share of score variance that content has, query by query."""
        self._parts = parts
        share = np.zeros(0, dtype=np.float32) if parts is None else parts.content_share()
        self._chart.show_data(
            ChartData(
                title=self.tr("share of score variance from content, per query"),
                series=(Series(values=share),),
                high=1.0,
                names=() if parts is None or _consecutive(parts) else _few_names(parts),
            )
        )

    def show_query(self, query: int | None) -> None:
        """Frame a query's row in both."""
        for plot in self.plots():
            plot.show_query(query)
        at = None
        if query is not None and self._parts is not None and len(self._parts.queries):
            at = int(np.searchsorted(self._parts.queries, query))
        self._chart.show_mark(at)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        for part in (*self.plots(), self._chart):
            part.show_palette(palette)

    def clear(self) -> None:
        """Forget everything."""
        for plot in self.plots():
            plot.clear()
        self.show_parts(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width, height = self.width(), self.height()
        chart = CHART if height > 300 else 74
        room = height - chart - HEADING - GAP
        each = (width - GAP) // 2
        for index, (plot, title) in enumerate(zip(self.plots(), self._titles, strict=True)):
            left = index * (each + GAP)
            title.setGeometry(left + 12, 8, each - 12, HEADING)
            plot.setGeometry(left, 8 + HEADING, each, room)
        self._chart.setGeometry(12, height - chart - 4, width - 24, chart)

    def _follow(self, plot: MapPlot, other: MapPlot) -> None:
        other.show_zoom(plot.zoom())
        self.view_moved.emit()

    def _query_at(self, index: int) -> int:
        assert self._parts is not None
        return int(self._parts.queries[index])


def looks_by(parts: ScoreParts) -> str:
    """`looks by position: content is 12 % of the score variance`, never without its number; empty when unknown."""
    share = parts.content_share()
    known = share[~np.isnan(share)]
    if not len(known):
        return ""
    mean = float(known.mean())
    if mean >= 0.5:
        words = QCoreApplication.translate("AttentionView", "looks by meaning: content has {0} of the score variance")
        return words.format(f"{mean:.0%}")
    words = QCoreApplication.translate("AttentionView", "looks by position: position has {0} of the score variance")
    return words.format(f"{1 - mean:.0%}")


def _consecutive(parts: ScoreParts) -> bool:
    return bool(len(parts.queries) == 0 or parts.queries[-1] - parts.queries[0] + 1 == len(parts.queries))


def _few_names(parts: ScoreParts) -> tuple[str, ...]:
    """Sampled queries by their numbers; the chart leaves out what has no room."""
    return tuple(f"{query:,}" for query in parts.queries.tolist())
