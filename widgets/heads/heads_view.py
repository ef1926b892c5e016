"""The heads panel: small maps of one layer or of all, sorted by what heads do; or a question about two tokens."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QStackedWidget, QVBoxLayout, QWidget

from widgets.drop_down import DropDown
from widgets.heads.data import ORDERS, HeadScores, PairScores, Place, how_computed, label_name, score_name, score_text
from widgets.heads.mosaic import Mosaic
from widgets.heads.pair_list import PairList
from widgets.heads.pair_question import PairQuestion
from widgets.palette import DARK, Palette
from widgets.panel import Panel
from widgets.segmented import Segmented
from widgets.selection import Selection


class HeadsView(Panel):
    """Small maps of heads, and which heads connect two tokens.

    Signals: `head_chosen(int, int)`, layer and head; `mode_chosen(str)`: layer, all or pair; `order_chosen(str)`;
    `layers_wanted(object)`, layers in view; `pair_chosen(int, int)`, query and key; `hovered_text(str)`.
    """

    head_chosen = Signal(int, int)
    mode_chosen = Signal(str)
    order_chosen = Signal(str)
    layers_wanted = Signal(object)
    pair_chosen = Signal(int, int)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Heads"), parent)
        self._layers, self._heads, self._tokens = 0, 0, 0
        self._mode, self._order = "layer", "model"
        self._scores: HeadScores | None = None
        self._pair: PairScores | None = None
        self._selection = Selection()
        self._palette: Palette = DARK
        self._mosaic, self._list, self._question = Mosaic(), PairList(), PairQuestion()
        self._hint = QLabel(self.tr("Click a cell in the attention map, or type two tokens, to see who connects them."))
        self._hint.setProperty("role", "hint")
        self._hint.setWordWrap(True)
        self._orders = DropDown()
        self._orders.setAccessibleName(self.tr("Sort heads by"))
        for order in ORDERS:
            self._orders.addItem(self._order_text(order), order)
            self._orders.setItemData(self._orders.count() - 1, how_computed(order), 3)  # 3: the tooltip
        self._modes = Segmented(
            [("layer", self.tr("layer")), ("all", self.tr("all layers")), ("pair", self.tr("two tokens"))]
        )
        self.add_tool(self._orders)
        self.add_tool(self._modes)
        self._pages = QStackedWidget()
        self._pages.addWidget(_padded(self._mosaic))
        self._pages.addWidget(_padded(self._question, self._list, self._hint))
        self.set_body(self._pages)
        self._connect()
        self.clear()

    def show_heads(self, layers: int, heads: int, tokens: int) -> None:
        """How many there are, and over how many tokens their maps go."""
        changed = (layers, heads) != (self._layers, self._heads)
        self._layers, self._heads, self._tokens = layers, heads, tokens
        if changed:
            self._mosaic.forget()
        self._show_places()

    def show_tokens(self, texts: Sequence[str]) -> None:
        """The tokens that can be asked about."""
        self._question.show_tokens(texts)

    def show_thumbnails(self, thumbnails: Mapping[Place, NDArray[np.float32]]) -> None:
        """Small maps of some heads."""
        self._mosaic.show_thumbnails(thumbnails)
        self._say()

    def forget_thumbnails(self) -> None:
        """Ask for all small maps anew."""
        self._mosaic.forget()

    def show_scores(self, scores: HeadScores | None) -> None:
        """What was measured about the heads so far."""
        self._scores = scores
        self._mosaic.show_scores(scores)
        self._say()

    def show_mode(self, mode: str) -> None:
        """One layer, all of them, or two tokens."""
        self._mode = mode
        self._modes.show_choice(mode)
        self._pages.setCurrentIndex(1 if mode == "pair" else 0)
        self._orders.setVisible(mode != "pair")
        self._show_places()

    def show_order(self, order: str) -> None:
        """Sort by a score."""
        self._order = order
        self._orders.setCurrentIndex(ORDERS.index(order))
        self._mosaic.show_order(order, ascending=order in ("entropy", "distance"))
        self._say()

    def show_asked(self, query: int, key: int) -> None:
        """Two tokens that were clicked."""
        self._question.show_pair(query, key)

    def show_pair(self, pair: PairScores | None) -> None:
        """The answer about two tokens."""
        self._pair = pair
        self._list.show_pair(pair)
        self._list.setVisible(pair is not None)
        self._hint.setVisible(pair is None)
        self._say()

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected head."""
        moved = (selection.layer, selection.head) != (self._selection.layer, self._selection.head)
        self._selection = selection
        self._mosaic.show_selection(selection.layer, selection.head)
        self._list.show_selection(selection.layer, selection.head)
        self._show_places()
        if moved:
            self._mosaic.reveal((selection.layer, selection.head))

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self._mosaic.show_palette(palette)
        self._list.show_palette(palette)

    def clear(self, hint: str = "") -> None:
        """Forget everything; the hint says what will appear."""
        self._layers = self._heads = self._tokens = 0
        self._mosaic.forget()
        self._mosaic.show_places([])
        self.show_scores(None)
        self.show_pair(None)
        self.show_hint(hint or self.tr("Every head as a small map appears here. Run a prompt."))

    def missing(self) -> list[Place]:
        """The heads in view whose small map is not here."""
        return self._mosaic.missing()

    def _connect(self) -> None:
        self._mosaic.head_chosen.connect(self.head_chosen)
        self._mosaic.head_hovered.connect(self._tell_head)
        self._mosaic.layers_wanted.connect(self.layers_wanted)
        self._list.head_chosen.connect(self.head_chosen)
        self._list.head_hovered.connect(self._tell_head)
        self._question.pair_chosen.connect(self.pair_chosen)
        self._modes.chosen.connect(self.mode_chosen)
        self._orders.activated.connect(lambda index: self.order_chosen.emit(ORDERS[index]))

    def _show_places(self) -> None:
        layers = range(self._layers) if self._mode == "all" else [self._selection.layer] if self._layers else []
        self._mosaic.show_places([(layer, head) for layer in layers for head in range(self._heads)])
        self._say()

    def _order_text(self, order: str) -> str:
        return score_name(order) if order == "model" else self.tr("by {0}").format(score_name(order))

    def _say(self) -> None:
        if not self._layers:
            return
        if self._mode == "pair":
            self.show_sentence(self._pair_sentence())
            return
        shown = len(self._mosaic.layout_now().rows) and sum(len(row) for row in self._mosaic.layout_now().rows)
        words = (
            self.tr("layer {0} · {1} heads").format(self._selection.layer, self._heads)
            if self._mode == "layer"
            else self.tr("{0} layers × {1} heads").format(self._layers, self._heads)
        )
        parts = [words, self.tr("{0} tokens").format(f"{self._tokens:,}")]
        filled = self._mosaic.filled()
        if filled < shown:
            parts.append(self.tr("{0} of {1} drawn").format(f"{filled:,}", f"{shown:,}"))
        if self._order != "model":
            parts.append(self._order_text(self._order))
        if self._scores is not None and self._scores.basis:
            parts.append(self.tr("scores: {0}").format(self._scores.basis))
        self.show_sentence(" · ".join(parts))

    def _pair_sentence(self) -> str:
        if self._pair is None:
            return self.tr("which heads connect two tokens, over {0} layers").format(self._layers)
        best = self._pair.ranked()[0]
        return self.tr("query {0} → key {1} · {2} heads · strongest {3}·{4} with p {5}").format(
            f"{self._pair.query:,}",
            f"{self._pair.key:,}",
            f"{self._pair.probabilities.size:,}",
            *best,
            f"{float(self._pair.probabilities[best]):.3f}",
        )

    def _tell_head(self, place: Place | None) -> None:
        if place is None:
            self.hovered_text.emit("")
            return
        words = [self.tr("layer {0} · head {1}").format(*place)]
        if self._scores is not None:
            if place in self._scores.labels:
                words.append(label_name(self._scores.labels[place][0]))
            for name, value in self._scores.values.get(place, {}).items():
                if value == value:
                    words.append(f"{score_name(name)} {score_text(name, value)}")
        self.hovered_text.emit("  ".join(words))


def _padded(*parts: QWidget) -> QWidget:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(12, 10, 8, 8)
    column.setSpacing(8)
    for part in parts:
        column.addWidget(part, 0 if isinstance(part, PairQuestion) else 1)
    return page
