"""The latents panel: what the cache holds, how many dimensions it uses, which heads read which, and in how few bits."""

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from widgets.attention.viewport import aligned, cell_size
from widgets.chart import Chart, ChartData, Series
from widgets.latents.data import Drift, LatentMap, Ranks, Reading
from widgets.latents.drift_table import DriftTable
from widgets.latents.heat import Heat, HeatData
from widgets.palette import Palette
from widgets.panel import Panel
from widgets.segmented import Segmented
from widgets.selection import Selection

MODES = ("map", "rank", "reading", "drift")
ASK_AFTER = 60


class LatentsView(Panel):
    """Signals: `mode_chosen(str)`; `token_chosen(int)`, `layer_chosen(int)`, `head_chosen(int)`; `drift_wanted()`;

    `range_wanted(object)`, (tokens, cell) of the map; `hovered_text(str)`.
    """

    mode_chosen = Signal(str)
    token_chosen = Signal(int)
    layer_chosen = Signal(int)
    head_chosen = Signal(int)
    drift_wanted = Signal()
    range_wanted = Signal(object)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Latents"), parent)
        self._tokens, self._zoom = 0, (0, 0)
        self._mode = "map"
        self._map: LatentMap | None = None
        self._ranks: Ranks | None = None
        self._reading: Reading | None = None
        self._drift: Drift | None = None
        self._selection = Selection()
        self._heat, self._norms = Heat(), Chart()
        self._by_layer, self._spectrum = Chart(), Chart()
        self._read_heat, self._singular = Heat(), Chart()
        self._table = DriftTable()
        self._pages = QStackedWidget()
        pages = (
            _page(self._heat, self._norms, stretch=(3, 1)),
            _page(self._by_layer, self._spectrum, stretch=(1, 1), across=True),
            _page(self._read_heat, self._singular, stretch=(2, 1)),
            _page(self._table),
        )
        for page in pages:
            self._pages.addWidget(page)
        self.set_body(self._pages)
        self._modes = Segmented(
            [
                ("map", self.tr("map")),
                ("rank", self.tr("rank")),
                ("reading", self.tr("read by")),
                ("drift", self.tr("drift")),
            ]
        )
        self.add_tool(self._modes)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(ASK_AFTER)
        self._connect()
        self.clear()

    def show_tokens(self, tokens: int) -> None:
        """How many tokens there are."""
        if tokens < self._tokens:
            self._zoom = (0, 0)
        self._tokens = tokens
        self._say()

    def show_mode(self, mode: str) -> None:
        """Map, rank, reading or drift."""
        self._mode = mode
        self._modes.show_choice(mode)
        self._pages.setCurrentIndex(MODES.index(mode))
        self._say()

    def show_map(self, shown: LatentMap | None) -> None:
        """c_kv over tokens and latent dimensions, and the norms of both parts."""
        if shown is self._map and shown is not None:
            return
        self._map = shown
        if shown is None:
            self._heat.show_data(None)
            self._norms.show_data(None)
            return
        self._heat.show_data(
            HeatData(
                title=self.tr("c_kv, latent dimensions down, tokens across"),
                values=np.ascontiguousarray(shown.values.T),
                across=shown.tokens,
                cell=shown.cell,
            )
        )
        names = _every(shown.tokens, shown.cell, len(shown.norms))
        series = (
            Series(values=shown.norms[:, 1], label=self.tr("c_kv"), role="category:0"),
            Series(values=shown.rope_norms[:, 1], label=self.tr("k_rope"), role="category:1"),
        )
        words = self.tr("norms") if shown.cell == 1 else self.tr("greatest norm of {0} tokens").format(shown.cell)
        self._norms.show_data(ChartData(title=words, series=series, names=names))
        self._say()

    def show_ranks(self, ranks: Ranks | None) -> None:
        """Effective rank by layer, and the selected layer's spectrum."""
        self._ranks = ranks
        self._show_spectrum()

    def show_reading(self, reading: Reading | None) -> None:
        """Which latent dimensions the heads of the layer read."""
        if reading is self._reading and reading is not None:
            return
        self._reading = reading
        if reading is None:
            self._read_heat.show_data(None)
        else:
            self._read_heat.show_data(
                HeatData(
                    title=self.tr("norm of W_UK's column, heads down, latent dimensions across"),
                    values=reading.norms,
                    across=(0, reading.norms.shape[1]),
                    signed=False,
                    names=tuple(self.tr("head {0}").format(head) for head in range(len(reading.norms))),
                )
            )
        self._show_singular()
        self._say()

    def show_drift(self, drift: Drift | None, *, measuring: bool = False) -> None:
        """What was measured about fewer bits."""
        self._drift = drift
        self._table.show_drift(drift, measuring=measuring)
        self._say()

    def show_selection(self, selection: Selection) -> None:
        """Mark the selected token, layer and head."""
        self._selection = selection
        self._heat.show_mark(column=selection.token)
        self._by_layer.show_mark(selection.layer)
        self._read_heat.show_mark(row=selection.head)
        if self._map is not None and selection.token is not None:
            self._norms.show_mark((selection.token - self._map.tokens[0]) // self._map.cell)
        self._show_spectrum()
        self._show_singular()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        for part in (
            self._heat, self._norms, self._by_layer, self._spectrum, self._read_heat, self._singular, self._table
        ):  # fmt: skip
            part.show_palette(palette)

    def clear(self, hint: str = "") -> None:
        """Forget everything; the hint says what will appear."""
        self._tokens, self._zoom = 0, (0, 0)
        self.show_map(None)
        self.show_ranks(None)
        self.show_reading(None)
        self.show_drift(None)
        self.show_hint(hint or self.tr("What the latent cache holds appears here. Run a prompt."))

    def wanted(self) -> tuple[tuple[int, int], int]:
        """The tokens of the map in view, and how many share a column."""
        tokens = self._zoom if self._zoom[1] > self._zoom[0] else (0, max(self._tokens, 1))
        pixels = self._heat.area().width() * self.devicePixelRatioF()
        cell = cell_size(tokens[1] - tokens[0], pixels)
        return aligned(tokens, cell), cell

    def shows_all(self) -> bool:
        """Whether all tokens are in view."""
        return self._zoom[1] <= self._zoom[0]

    def fit(self) -> None:
        """Show all tokens again."""
        self._zoom = (0, 0)
        self._soon.start()

    def _connect(self) -> None:
        self._modes.chosen.connect(self.mode_chosen)
        self._heat.zoom_wanted.connect(self._zoom_in)
        self._heat.chosen.connect(lambda _row, token: self.token_chosen.emit(token))
        self._heat.hovered.connect(self._tell_latent)
        self._norms.chosen.connect(self._choose_norm)
        self._by_layer.chosen.connect(self.layer_chosen)
        self._by_layer.hovered.connect(self._tell_rank)
        self._read_heat.chosen.connect(lambda head, _dimension: self.head_chosen.emit(head))
        self._read_heat.hovered.connect(self._tell_reading)
        self._table.measure_wanted.connect(self.drift_wanted)
        self._soon.timeout.connect(lambda: self.range_wanted.emit(self.wanted()))

    def _zoom_in(self, factor: float, place: float) -> None:
        first, last = self._zoom if self._zoom[1] > self._zoom[0] else (0, self._tokens)
        span = min(max((last - first) / factor, 16.0), float(self._tokens))
        start = first + (last - first - span) * place
        start = min(max(start, 0.0), self._tokens - span)
        self._zoom = (0, 0) if span >= self._tokens else (int(start), int(np.ceil(start + span)))
        self._soon.start()

    def _choose_norm(self, index: int) -> None:
        if self._map is not None:
            self.token_chosen.emit(self._map.tokens[0] + index * self._map.cell)

    def _show_spectrum(self) -> None:
        ranks, layer = self._ranks, self._selection.layer
        if ranks is None or layer >= len(ranks.ranks):
            self._by_layer.show_data(None)
            self._spectrum.show_data(None)
            return
        names = tuple(f"L{number}" for number in range(len(ranks.ranks)))
        self._by_layer.show_data(
            ChartData(
                title=self.tr("effective rank of c_kv, of {0}").format(ranks.spectra.shape[1]),
                series=(Series(values=ranks.ranks, bars=True),),
                names=names,
            )
        )
        self._spectrum.show_data(
            ChartData(
                title=self.tr("singular values of layer {0}'s c_kv").format(layer),
                series=(Series(values=ranks.spectra[layer]),),
            )
        )
        self._say()

    def _show_singular(self) -> None:
        reading, head = self._reading, self._selection.head
        if reading is None or head >= len(reading.singular):
            self._singular.show_data(None)
            return
        title = self.tr("singular values of head {0}'s W_UK").format(head)
        self._singular.show_data(ChartData(title=title, series=(Series(values=reading.singular[head]),)))

    def _say(self) -> None:
        if not self._tokens:
            return
        layer, tokens = self._selection.layer, f"{self._tokens:,}"
        if self._mode == "rank":
            known = 0 if self._ranks is None else int(np.isfinite(self._ranks.ranks).sum())
            total = 0 if self._ranks is None else len(self._ranks.ranks)
            words = self.tr("{0} tokens · {1} of {2} layers · exp of the entropy of singular values")
            self.show_sentence(words.format(tokens, known, total))
        elif self._mode == "reading":
            self.show_sentence(self.tr("layer {0} · W_UK of every head, from the weights").format(layer))
        elif self._mode == "drift":
            words = self.tr("layer {0} · latents kept in fewer bits, computed exactly on the rows named")
            self.show_sentence(words.format(layer))
        elif self._map is not None:
            shared = self.tr("every token") if self._map.cell == 1 else self.tr("strongest of {0} tokens")
            words = self.tr("layer {0} · {1} tokens × {2} dimensions, {3}")
            dimensions = self._map.values.shape[1]
            span = f"{self._map.tokens[1] - self._map.tokens[0]:,}"
            self.show_sentence(words.format(self._map.layer, span, dimensions, shared.format(self._map.cell)))
        else:
            self.show_sentence(self.tr("layer {0} · {1} tokens").format(layer, tokens))

    def _tell_latent(self, place: tuple[int, int] | None) -> None:
        if place is None or self._map is None:
            self.hovered_text.emit("")
            return
        dimension, token = place
        column = min((token - self._map.tokens[0]) // self._map.cell, len(self._map.values) - 1)
        value, norm = float(self._map.values[column, dimension]), float(self._map.norms[column, 1])
        words = self.tr("token {0}  dimension {1}  c_kv {2}  ‖c_kv‖ {3}")
        self.hovered_text.emit(words.format(f"{token:,}", dimension, f"{value:+.3f}".replace("-", "−"), f"{norm:.2f}"))

    def _tell_rank(self, layer: int | None) -> None:
        if layer is None or self._ranks is None:
            self.hovered_text.emit("")
            return
        words = self.tr("layer {0}  effective rank {1} of {2}")
        self.hovered_text.emit(
            words.format(layer, f"{float(self._ranks.ranks[layer]):.1f}", self._ranks.spectra.shape[1])
        )

    def _tell_reading(self, place: tuple[int, int] | None) -> None:
        if place is None or self._reading is None:
            self.hovered_text.emit("")
            return
        words = self.tr("head {0}  latent dimension {1}  ‖column of W_UK‖ {2}")
        self.hovered_text.emit(words.format(*place, f"{float(self._reading.norms[place]):.3f}"))


def _every(tokens: tuple[int, int], cell: int, columns: int) -> tuple[str, ...]:
    """Names of a chart's columns: the first token of each; the chart shows those that have room."""
    step = max(columns // 5, 1)
    return tuple(f"{tokens[0] + index * cell:,}" if index % step == 0 else "" for index in range(columns))


def _page(*parts: QWidget, stretch: tuple[int, ...] = (1,), across: bool = False) -> QWidget:
    page = QWidget()
    layout = QHBoxLayout(page) if across else QVBoxLayout(page)
    layout.setContentsMargins(12, 10, 12, 8)
    layout.setSpacing(10)
    for part, share in zip(parts, stretch, strict=True):
        layout.addWidget(part, share)
    return page
