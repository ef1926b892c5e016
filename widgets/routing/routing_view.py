"""The Routing panel: which experts the tokens of a layer chose, and how the layers spread their tokens."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.palette import Palette
from widgets.panel import Panel
from widgets.routing.canvas import RoutingCanvas
from widgets.routing.data import ExpertReads, RouterScores, RoutingTokens, RoutingTotals
from widgets.routing.grid import token_grid, total_grid
from widgets.routing.layout import Cell
from widgets.routing.marks import rank_of, score_of, weight_of
from widgets.routing.painting import Words
from widgets.routing.profile_data import LayerDomains
from widgets.routing.profile_line import ProfileLine
from widgets.routing.profile_page import ProfilePage
from widgets.routing.reads_line import ReadsLine
from widgets.segmented import Segmented
from widgets.selection import Selection
from widgets.token_text import visible


class RoutingView(Panel):
    """Token × expert of one layer, layer × expert of the whole run, or what the layer's experts are chosen for.

    Signals: `token_chosen(int)`, `expert_chosen(int)`, `layer_chosen(int)`, `mode_chosen(str)` ("tokens",
    "layers" or "profile"), `hovered_text(str)`, empty when the mouse leaves.
    """

    token_chosen = Signal(int)
    expert_chosen = Signal(int)
    layer_chosen = Signal(int)
    mode_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(QCoreApplication.translate("RoutingView", "Routing"), parent)
        self._texts: Sequence[str] = []
        self._routing: RoutingTokens | None = None
        self._totals: RoutingTotals | None = None
        self._scores: RouterScores | None = None
        self._dense: int | None = None
        # Devices of experts, their number, router groups: of the last layer with experts, for the layers mode too.
        self._placed: tuple[NDArray[np.int64], int, int] = (np.zeros(0, dtype=np.int64), 1, 1)
        self._selection = Selection()
        self._mode = "tokens"
        self._hint_text = ""
        self._canvas = RoutingCanvas(
            Words(self.tr("margin"), self.tr("device {0}"), self.tr("zero experts"), self.tr("■ NaN")), self
        )
        self._reads = ReadsLine(self)
        self._profile: LayerDomains | None = None
        self._no_profile = ""
        self._page, self._line = ProfilePage(self), ProfileLine(self)
        self._page.expert_chosen.connect(self.expert_chosen)
        self._page.hovered_text.connect(self.hovered_text)
        self._canvas.setAccessibleName(self.tr("Routing map"))
        self._canvas.row_chosen.connect(self._choose_row)
        self._canvas.expert_chosen.connect(self.expert_chosen)
        self._canvas.cell_hovered.connect(self._hover)
        self._canvas.pooling_changed.connect(self._say_again)
        modes = (("tokens", self.tr("tokens")), ("layers", self.tr("layers")), ("profile", self.tr("profile")))
        self._switch = Segmented(list(modes), self)
        self._switch.chosen.connect(self._choose_mode)
        self.add_tool(self._switch)
        self.set_body(_stacked(self, self._canvas, self._page, self._line, self._reads))
        self.clear()

    def show_tokens(self, texts: Sequence[str]) -> None:
        """Texts of all tokens, for the names of the rows."""
        self._texts = texts
        self._canvas.update()

    def show_routing(self, routing: RoutingTokens) -> None:
        """The choices of one layer's tokens; called again as tokens come in."""
        if not routing.moe:
            self.show_dense_layer(routing.layer)
            return
        self._routing, self._dense = routing, None
        self._placed = (routing.expert_device, routing.devices, routing.groups)
        self._refresh()

    def show_totals(self, totals: RoutingTotals) -> None:
        """Totals of every MoE layer, for the layers mode."""
        self._totals = totals
        if self._mode == "layers":
            self._refresh()

    def show_reads(self, reads: ExpertReads | None) -> None:
        """What experts cost where not all are in memory, in a line below the map; None: nothing."""
        self._reads.show_reads(reads)

    def show_profile(self, layer: LayerDomains | None, otherwise: str) -> None:
        """What the layer's experts are chosen for; None: nothing is known, and `otherwise` says why or what to do."""
        if layer is None and self._profile is None and otherwise == self._no_profile:
            return
        self._profile, self._no_profile = layer, otherwise
        self._page.show_layer(layer)
        self._line.show_expert(layer, self._selection.expert)
        if self._mode == "profile":
            self._refresh()

    def show_scores(self, scores: RouterScores | None) -> None:
        """Router scores of a range of tokens: the hover then also knows experts that were not chosen."""
        self._scores = scores

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected token (or layer) and mark the selected expert's column."""
        self._selection = selection
        self._page.show_expert(selection.expert)
        self._mark()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._canvas.show_palette(palette)
        self._page.show_palette(palette)

    def show_mode(self, mode: str) -> None:
        """Switch to "tokens", "layers" or "profile"; emits nothing."""
        if mode == self._mode:
            return
        self._mode = mode
        self._switch.show_choice(mode)
        self._canvas.show_grid(None)
        self._refresh()

    def show_dense_layer(self, layer: int) -> None:
        """Say that the selected layer has no experts."""
        self._dense, self._routing = layer, None
        self._refresh()

    def clear(self, hint: str = "") -> None:
        """Forget everything and say what will appear."""
        self._routing = self._totals = self._scores = self._dense = None
        self._reads.show_reads(None)
        self._texts = []
        self._hint_text = hint or self.tr("Each token's chosen experts appear here: enter a prompt and press Run.")
        self._refresh()

    # Drawing

    def _refresh(self) -> None:
        self._canvas.setVisible(self._mode != "profile")
        self._page.setVisible(self._mode == "profile")
        if self._mode == "profile":
            if self._profile is None:
                self.show_hint(self._empty_text())
            else:
                self._mark()
            return
        if self._mode == "layers" and self._totals is not None and self._totals.layers:
            totals = self._totals
            self._canvas.show_grid(
                total_grid(totals, self._expert_device(), devices=self._placed[1], groups=self._placed[2])
            )
        elif self._mode == "tokens" and self._routing is not None and len(self._routing.expert_ids):
            self._canvas.show_grid(token_grid(self._routing, self._texts))
        else:
            self._canvas.show_grid(None)
            self.show_hint(self._empty_text())
            return
        self._mark()

    def _empty_text(self) -> str:
        if self._mode == "tokens" and self._dense is not None:
            return self.tr(
                "layer {0} is dense: every token uses the same MLP. Choose a layer with experts, or see all layers."
            ).format(self._dense)
        return self._no_profile if self._mode == "profile" else self._hint_text

    def _mark(self) -> None:
        expert = self._selection.expert
        self._line.show_expert(None if self._mode == "profile" else self._profile, expert)
        if self._mode == "profile":
            self._say()
            return
        if self._mode == "layers" and self._totals is not None:
            layers, experts = self._totals.layers, self._totals.counts.shape[1]
            row = layers.index(self._selection.layer) if self._selection.layer in layers else None
        elif self._routing is not None:
            row, experts = self._selection.token, self._routing.experts
            row = row if row is not None and row < len(self._routing.expert_ids) else None
        else:
            return
        self._canvas.show_chosen(row, expert if expert is not None and expert < experts else None)
        self._say()

    def _say(self) -> None:
        sentences = {"layers": self._layers_sentence, "profile": self._profile_sentence}
        sentence = sentences.get(self._mode, self._tokens_sentence)()
        if sentence:
            self.show_sentence(sentence)
            self._canvas.setAccessibleDescription(sentence)

    def _say_again(self) -> None:
        if not self.is_empty():
            self._say()

    def _tokens_sentence(self) -> str:
        routing = self._routing
        if routing is None or not len(routing.expert_ids):
            return ""
        parts = [self.tr("layer {0}").format(routing.layer), self.tr("token × expert")]
        if self._canvas.each() > 1:  # before all that may be cut: a reduced picture has to say so
            parts.append(self.tr("max of {0} tokens").format(self._canvas.each()))
        choice = self.tr("top {0} of {1}").format(routing.chosen, routing.experts)
        if routing.groups > 1:
            groups = self.tr(", {0} group of {1}") if routing.groups_per_token == 1 else self.tr(", {0} groups of {1}")
            choice += groups.format(routing.groups_per_token, routing.groups)
        zero = int(np.count_nonzero(routing.expert_device < 0))
        if zero:
            choice += self.tr(", {0} of them zero experts").format(zero)
        parts.append(choice)
        if routing.shared:
            parts.append(self.tr("{0} shared").format(routing.shared))
        return " · ".join(parts)

    def _layers_sentence(self) -> str:
        totals = self._totals
        if totals is None or not totals.layers:
            return ""
        parts = [self.tr("{0} MoE layers × {1} experts").format(*totals.counts.shape)]
        parts.append(self.tr("share of tokens, 1 = uniform"))
        if totals.shared:
            parts.append(self.tr("{0} shared").format(totals.shared))
        return " · ".join(parts)

    def _profile_sentence(self) -> str:
        profile = self._profile
        if profile is None:
            return ""
        parts = [
            self.tr("layer {0}").format(profile.layer),
            self.tr("domain × expert"),
            self.tr("{0:,} tokens of {1}").format(
                profile.tokens, visible(profile.texts, limit=40, keep_inner_spaces=True)
            ),
            self.tr("colour: how much more often than over all, ¼ to 4 ×"),
        ]
        return " · ".join(parts)

    def _expert_device(self) -> NDArray[np.int64]:
        assert self._totals is not None
        experts = self._totals.counts.shape[1]
        return self._placed[0] if len(self._placed[0]) == experts else np.zeros(experts, dtype=np.int64)

    # What a person does

    def _choose_mode(self, mode: str) -> None:
        self.show_mode(mode)
        self.mode_chosen.emit(mode)

    def _choose_row(self, row: int) -> None:
        if self._mode == "layers" and self._totals is not None:
            self.layer_chosen.emit(self._totals.layers[row])
        else:
            self.token_chosen.emit(row)

    def _hover(self, cell: Cell | None) -> None:
        text = "" if cell is None else self._layer_text(cell) if self._mode == "layers" else self._token_text(cell)
        # Token texts may look like markup, and a tooltip would take them for it.
        self._canvas.setToolTip(text.replace("<", "‹"))
        self.hovered_text.emit(text)

    def _token_text(self, cell: Cell) -> str:
        routing = self._routing
        if routing is None:
            return ""
        name = visible(self._texts[cell.row]) if cell.row < len(self._texts) else ""
        head = self.tr("token {0} “{1}”").format(cell.row, name)
        if cell.rows > 1:
            head = self.tr("tokens {0} to {1}").format(cell.row, cell.row + cell.rows - 1)
        least = float(np.nanmin(np.append(routing.margins[cell.row : cell.row + cell.rows], np.inf)))
        margin = self.tr("margin {0}").format(f"{least:.3g}") if np.isfinite(least) else self.tr("margin unknown")
        if cell.shared is not None:
            return self.tr("{0} → shared expert S{1}: every token passes it").format(head, cell.shared)
        if cell.expert is None:
            return f"{head}, {margin}"
        return self._expert_text(routing, cell, cell.expert, head, margin)

    def _expert_text(self, routing: RoutingTokens, cell: Cell, expert: int, head: str, margin: str) -> str:
        head = self._arrow(head, expert, int(routing.expert_device[expert]))
        if cell.rows > 1:
            part = slice(cell.row, cell.row + cell.rows)
            took = routing.expert_ids[part] == expert
            most = float(routing.expert_weights[part][took].max()) if took.any() else 0.0
            return self.tr("{0} chosen by {1}, largest weight {2}").format(head, int(took.sum()), f"{most:.3g}")
        rank = rank_of(routing, cell.row, expert)
        score = score_of(self._scores, routing.layer, cell.row, expert)
        known = "" if score is None else self.tr(", score {0}").format(f"{score:.3g}")
        if rank is None:
            return self.tr("{0} not chosen").format(head) + known
        weight = weight_of(routing, cell.row, expert)
        place = self.tr("{0} weight {1}, rank {2} of {3}").format(head, f"{weight:.3g}", rank, routing.chosen)
        return f"{place}, {margin}{known}"

    def _arrow(self, head: str, expert: int, device: int) -> str:
        if device < 0:
            return self.tr("{0} → zero expert {1} (no weights: answers with its input)").format(head, expert)
        return self.tr("{0} → expert {1} (device {2})").format(head, expert, device)

    def _layer_text(self, cell: Cell) -> str:
        totals = self._totals
        if totals is None:
            return ""
        head = self.tr("layer {0}").format(totals.layers[cell.row])
        if cell.shared is not None:
            return self.tr("{0} → shared expert S{1}: every token passes it").format(head, cell.shared)
        row = totals.counts[cell.row]
        if cell.expert is None:
            return self.tr("{0}: {1:,} assignments").format(head, int(row.sum()))
        head = self._arrow(head, cell.expert, int(self._expert_device()[cell.expert]))
        ratio = row[cell.expert] * len(row) / max(int(row.sum()), 1)
        told = self.tr("{0}: {1:,} of {2:,} assignments, {3:.2f} × uniform, summed weight {4:.3g}")
        weight = float(totals.weights[cell.row, cell.expert])
        return told.format(head, int(row[cell.expert]), int(row.sum()), ratio, weight)


def _stacked(parent: QWidget, *parts: QWidget) -> QWidget:
    body = QWidget(parent)
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(parts[0], 1)
    for part in parts[1:]:
        column.addWidget(part)
    return body
