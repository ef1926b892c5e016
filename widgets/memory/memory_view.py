"""KV memory: bytes that hold the cache, measured, beside the same run as MHA, GQA and MQA by formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.figures import bytes_text, count_text, tabular
from widgets.memory.memory_curves import byte_axis, formula_line, plotted, thinned, token_axis_end
from widgets.memory.memory_series import Measure, MemorySeries, Scale
from widgets.palette import DARK, Palette
from widgets.panel import ElidedLabel, Panel
from widgets.segmented import Segmented
from widgets.selection import Selection

if TYPE_CHECKING:
    from widgets.memory.memory_plot import Line, MemoryPlot


class MemoryView(Panel):
    """Solid is measured, dashed is by formula; the light band is reserve, allocated ahead of use.

    Signals: `token_chosen(int)`, `scale_chosen(str)` linear | log, `measure_chosen(str)` total | per token,
    `hovered_text(str)` with exact bytes, empty when the mouse leaves.
    """

    token_chosen = Signal(int)
    scale_chosen = Signal(str)
    measure_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("KV memory"), parent)
        self._series: MemorySeries | None = None
        self._selected: int | None = None
        self._measure: Measure = "total"
        self._scale: Scale = "linear"
        self._measures = Segmented([("total", self.tr("total")), ("per token", self.tr("per token"))], self)
        self._scales = Segmented([("linear", self.tr("linear")), ("log", self.tr("log"))], self)
        self.add_tool(self._measures)
        self.add_tool(self._scales)
        self._palette = DARK
        self._made: MemoryPlot | None = None
        self._free = ElidedLabel("", self)
        self._free.setProperty("role", "muted")
        self._free.setFont(tabular(self.font()))
        self.set_body(self._body())
        self._measures.chosen.connect(self.measure_chosen)
        self._scales.chosen.connect(self.scale_chosen)
        self.clear()

    def prepare(self) -> None:
        """Make the plot, if nothing has been drawn yet: it loads pyqtgraph, for which no first paint should wait."""
        if self._made is None:
            self._made = self._new_plot()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        if self._made is not None:
            self._made.show_palette(palette)

    def show_series(self, series: MemorySeries) -> None:
        """Draw the cache so far; an empty series says that it waits for the first token."""
        self._series = series
        if not len(series.tokens):
            self.clear()
            return
        self._redraw()

    def show_selection(self, selection: Selection) -> None:
        """Put the hairline where the selected token had just been cached."""
        self._selected = selection.token
        if self._series is not None and len(self._series.tokens):
            self._show_selected(self._series)

    def show_scale(self, scale: Scale) -> None:
        """Switch the byte axis between linear and logarithmic."""
        if scale != self._scale:
            self._scale = scale
            self._scales.show_choice(scale)
            self._redraw()

    def show_measure(self, measure: Measure) -> None:
        """Switch between bytes in all and bytes per token."""
        if measure != self._measure:
            self._measure = measure
            self._measures.show_choice(measure)
            self._redraw()

    def clear(self, hint: str | None = None) -> None:
        """Show the empty state."""
        self._series = None
        self.show_hint(hint or self.tr("Run a prompt: the bytes of the KV cache will be drawn here as it grows."))

    def _body(self) -> QWidget:
        body = QWidget(self)
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(12, 0, 12, 8)
        self._column.setSpacing(2)
        self._column.addWidget(self._free)
        return body

    @property
    def _plot(self) -> MemoryPlot:
        self.prepare()
        assert self._made is not None
        return self._made

    def _new_plot(self) -> MemoryPlot:
        from widgets.memory.memory_plot import MemoryPlot

        plot = MemoryPlot(self)
        plot.setAccessibleName(self.tr("KV memory plot"))
        plot.show_axis_name(self.tr("tokens"))
        plot.show_palette(self._palette)
        self._column.insertWidget(0, plot, 1)
        plot.hovered.connect(self._hover)
        plot.clicked.connect(self._click)
        plot.left.connect(lambda: self.hovered_text.emit(""))
        plot.stepped.connect(self._step)
        plot.getViewBox().sigXRangeChanged.connect(lambda: self._draw_measured())
        return plot

    def _redraw(self) -> None:
        series = self._series
        if series is None:
            return
        formulas = [size for _, size in series.others]
        end = token_axis_end(max(series.planned_tokens, series.held))
        low, high = byte_axis((*formulas, series.own), tokens=end, measure=self._measure, scale=self._scale)
        self._plot.show_range(tokens=end, low=low, high=high, scale=self._scale)
        lines = [self._formula(per_token, end) for per_token in formulas]
        counts, sizes = self._formula(series.own, end)
        ahead = counts >= series.held
        self._plot.show_formulas(lines, self._line_texts(series), forecast=(counts[ahead], sizes[ahead]))
        self._draw_measured()
        self._free.set_full_text(self._free_text(series))
        self._show_selected(series)

    def _formula(self, per_token: int, end: int) -> Line:
        return formula_line(per_token, tokens=end, measure=self._measure, scale=self._scale)

    def _draw_measured(self) -> None:
        series = self._series
        if series is None or not len(series.tokens):
            return
        low, high = self._plot.token_range()
        rows = thinned(series.tokens, low=low, high=high)
        counts = series.tokens[rows].astype(np.float64)
        divisor = counts if self._measure == "per token" else np.ones_like(counts)
        measured = plotted(series.measured_bytes[rows] / divisor, scale=self._scale)
        used = plotted(series.used_bytes[rows] / divisor, scale=self._scale)
        size = self._size_text(int(series.measured_bytes[-1]), series.held, exact=True)
        text = (
            self.tr("{kind}, measured {size}")
            if self._measure == "total"
            else self.tr("{kind}, measured {size} per token")
        )
        text = text.format(kind=series.kind.upper(), size=size)
        if self._measure == "total" and series.reserve:
            text += "\n" + self.tr("of it reserve {size}").format(size=bytes_text(series.reserve, exact=True))
        self._plot.show_measured((counts, measured), (counts, used), text)
        self._plot.place_labels()

    def _line_texts(self, series: MemorySeries) -> list[str]:
        held = series.held
        texts = {
            "mha": self.tr("as MHA  {size}"),
            "gqa": self.tr("as GQA, {groups} groups  {size}"),
            "mqa": self.tr("as MQA  {size}"),
            "mla": self.tr("as MLA  {size}"),
        }
        return [
            texts[kind].format(groups=series.gqa_groups, size=self._size_text(size * held, held))
            for kind, size in series.others
        ]

    def _size_text(self, size: int, tokens: int, *, exact: bool = False) -> str:
        if self._measure == "total":
            return bytes_text(size, exact=exact)
        return bytes_text(round(size / max(tokens, 1)), exact=exact)

    def _free_text(self, series: MemorySeries) -> str:
        if not series.free_bytes:  # a recording without its model: nothing is known of memory here
            return self.tr("context {limit}").format(limit=f"{series.context_limit:,}")
        text = self.tr("free memory: {mla} more tokens, as MHA {mha} · context {limit}")
        return text.format(
            mla=count_text(series.free_bytes // max(series.own, 1)),
            mha=count_text(series.free_bytes // max(series.mha, 1)),
            limit=f"{series.context_limit:,}",
        )

    def _show_selected(self, series: MemorySeries) -> None:
        kind = self.tr("measured bytes") if self._measure == "total" else self.tr("measured bytes per token")
        place = self.tr("{layers} layers · {dtype} · reserve {reserve}").format(
            layers=series.layers, dtype=series.dtype, reserve=bytes_text(series.reserve, exact=True)
        )
        row = None if self._selected is None else series.row_of(self._selected + 1)
        if row is None or self._selected is None:
            self._plot.show_selected(None, "")
        else:
            held = int(series.tokens[row])
            size = self._size_text(int(series.measured_bytes[row]), held, exact=True)
            reading = self.tr("token {token}: {size}")
            reading = self.tr("token {token}: {size} per token") if self._measure == "per token" else reading
            reading = reading.format(token=self._selected, size=size)
            self._plot.show_selected(float(held), reading)
            kind = self.tr("measured {size} at token {token}")
            kind = self.tr("measured {size} per token at token {token}") if self._measure == "per token" else kind
            kind = kind.format(token=self._selected, size=size)
        self.show_sentence(f"{kind} · {place}")

    def _hover(self, place: QPointF) -> None:
        series = self._series
        tokens = round(place.x())
        if series is None or tokens < 1:
            self.hovered_text.emit("")
            return
        row = series.row_of(tokens)
        parts = [self.tr("{tokens} tokens").format(tokens=f"{tokens:,}")]
        if row is not None and series.tokens[row] == tokens:
            measured, used = int(series.measured_bytes[row]), int(series.used_bytes[row])
            text = self.tr("measured {measured}, used {used}, reserve {reserve}")
            parts.append(text.format(**_exact(measured=measured, used=used, reserve=measured - used)))
        else:
            text = self.tr("{kind} by formula {size}")
            parts.append(text.format(kind=series.kind.upper(), **_exact(size=series.own * tokens)))
        parts.append(
            ", ".join(f"{kind.upper()} {bytes_text(size * tokens, exact=True)}" for kind, size in series.others)
        )
        self.hovered_text.emit(" · ".join(parts))

    def _click(self, place: QPointF) -> None:
        if self._series is not None and self._series.held:
            self.token_chosen.emit(min(max(round(place.x()) - 1, 0), self._series.held - 1))

    def _step(self, step: int) -> None:
        if self._series is None or not self._series.held:
            return
        last = self._series.held - 1
        start = last if self._selected is None else self._selected
        wanted = min(max(start + step, 0), last)
        if wanted != self._selected:
            self.token_chosen.emit(wanted)


def _exact(**sizes: int) -> dict[str, str]:
    return {name: bytes_text(size, exact=True) for name, size in sizes.items()}
