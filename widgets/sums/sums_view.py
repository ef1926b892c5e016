"""The sums panel: what a head's rows add up to, without T × T: received attention, entropy, distances, sinks."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from widgets.attention.data import ScoreParts
from widgets.attention.part_maps import looks_by
from widgets.attention.readout import probability, stage_text
from widgets.chart import Chart, ChartData, Series
from widgets.palette import Palette
from widgets.panel import ElidedLabel, Panel
from widgets.selection import Selection
from widgets.sums.data import Sums
from widgets.token_text import visible


class SumsView(Panel):
    """Four charts of one head and a line that names its sinks.

    Signals: `token_chosen(int)`, `hovered_text(str)`.
    """

    token_chosen = Signal(int)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Sums"), parent)
        self._texts: Sequence[str] = ()
        self._sums: Sums | None = None
        self._parts: ScoreParts | None = None
        self._received, self._entropy, self._distance, self._share = Chart(), Chart(), Chart(), Chart()
        self._sinks = ElidedLabel("")
        self._sinks.setProperty("role", "muted")
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(12, 10, 12, 8)
        grid.setSpacing(10)
        for index, chart in enumerate(self._charts()):
            grid.addWidget(chart, index // 2, index % 2)
        grid.addWidget(self._sinks, 2, 0, 1, 2)
        self.set_body(body)
        self._received.chosen.connect(self.token_chosen)
        self._received.hovered.connect(self._tell_key)
        self._entropy.chosen.connect(self._choose_query)
        self._entropy.hovered.connect(self._tell_query)
        self._share.chosen.connect(self._choose_query)
        self._share.hovered.connect(self._tell_query)
        self._distance.hovered.connect(self._tell_distance)
        self.clear()

    def show_tokens(self, texts: Sequence[str]) -> None:
        """The texts that tokens are named by."""
        self._texts = texts

    def show_sums(self, sums: Sums | None, parts: ScoreParts | None) -> None:
        """Draw a stage."""
        if sums is self._sums and sums is not None:
            return
        self._sums, self._parts = sums, parts
        if sums is None or parts is None:
            for chart in self._charts():
                chart.show_data(None)
            self._sinks.set_full_text("")
            return
        names = _names(sums.queries)
        self._received.show_data(
            ChartData(
                title=self.tr("mean attention that each key receives"),
                series=(Series(values=sums.mean_received(), bars=True),),
                unit=_short,
            )
        )
        self._entropy.show_data(
            ChartData(title=self.tr("entropy of each query, nats"), series=(Series(values=sums.entropy),), names=names)
        )
        self._distance.show_data(
            ChartData(
                title=self.tr("share of attention by distance, tokens"),
                series=(Series(values=sums.distance.astype(np.float32), bars=True),),
                names=tuple(_distance_name(low, high) for low, high in pairwise(sums.edges.tolist())),
                unit=_short,
            )
        )
        self._share.show_data(
            ChartData(
                title=self.tr("share of score variance from content"),
                series=(Series(values=parts.content_share()),),
                high=1.0,
                names=names,
            )
        )
        self._say(sums, parts)

    def show_waiting(self, layer: int, head: int) -> None:
        """Say which head is being added up; the one before stays on show until it comes."""
        self.show_sentence(self.tr("layer {0} · head {1} · being added up").format(layer, head))

    def show_selection(self, selection: Selection) -> None:
        """Mark the selected token."""
        self._received.show_mark(selection.token)
        if self._sums is not None and selection.token is not None and len(self._sums.queries):
            at = int(np.searchsorted(self._sums.queries, selection.token))
            self._entropy.show_mark(at)
            self._share.show_mark(at)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        for chart in self._charts():
            chart.show_palette(palette)

    def clear(self, hint: str = "") -> None:
        """Forget everything; the hint says what will appear."""
        self._texts = ()
        self.show_sums(None, None)
        self.show_hint(hint or self.tr("What a head's rows add up to appears here. Run a prompt."))

    def _charts(self) -> tuple[Chart, ...]:
        return self._received, self._entropy, self._distance, self._share

    def _say(self, sums: Sums, parts: ScoreParts) -> None:
        said = self.tr("layer {0} · head {1} · {2} tokens · {3}").format(
            sums.layer, sums.head, f"{len(sums.received):,}", stage_text(sums.stage)
        )
        self.show_sentence(f"{said} · {looks_by(parts)}" if looks_by(parts) else said)
        mean = sums.mean_received()
        named = [
            f"{key:,} “{self._text(key)}” {probability(float(mean[key]))}"
            for key in sums.sinks.tolist()
            if key < len(mean)
        ]
        self._sinks.set_full_text(self.tr("most looked at: {0}").format(" · ".join(named)) if named else "")

    def _text(self, token: int) -> str:
        return visible(self._texts[token], limit=12) if token < len(self._texts) else "…"

    def _choose_query(self, index: int) -> None:
        if self._sums is not None:
            self.token_chosen.emit(int(self._sums.queries[index]))

    def _tell_key(self, key: int | None) -> None:
        if key is None or self._sums is None:
            self.hovered_text.emit("")
            return
        mean = float(self._sums.mean_received()[key])
        words = self.tr("key {0} “{1}”  mean attention {2} of {3} queries")
        self.hovered_text.emit(
            words.format(f"{key:,}", self._text(key), probability(mean), f"{int(self._sums.seen[key]):,}")
        )

    def _tell_query(self, index: int | None) -> None:
        if index is None or self._sums is None or self._parts is None:
            self.hovered_text.emit("")
            return
        query = int(self._sums.queries[index])
        words = self.tr("query {0} “{1}”  entropy {2} nats  content {3} of score variance")
        share = float(self._parts.content_share()[index])
        entropy = f"{float(self._sums.entropy[index]):.2f}"
        self.hovered_text.emit(words.format(f"{query:,}", self._text(query), entropy, f"{share:.0%}"))

    def _tell_distance(self, index: int | None) -> None:
        if index is None or self._sums is None:
            self.hovered_text.emit("")
            return
        name = _distance_name(int(self._sums.edges[index]), int(self._sums.edges[index + 1]))
        words = self.tr("{0} of the attention goes {1} tokens back")
        self.hovered_text.emit(words.format(f"{float(self._sums.distance[index]):.1%}", name))


def _distance_name(low: int, high: int) -> str:
    return f"{low:,}" if high - low <= 1 else f"{low:,}–{high - 1:,}"


def _short(value: float) -> str:
    return f"{value:g}"


def _names(queries: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> tuple[str, ...]:
    """Sampled queries by number, a few of them; none when every query is there."""
    count = len(queries)
    if not count or int(queries[-1]) - int(queries[0]) + 1 == count:
        return ()
    step = max(count // 5, 1)
    return tuple(f"{int(query):,}" if index % step == 0 else "" for index, query in enumerate(queries.tolist()))
