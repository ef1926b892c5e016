"""What each view would ask the engine now: one function a kind of question, from State and View. Qt-free.

Each returns the subject (what is looked at), its extent (how far it reaches, which grows by itself), and how to make
the command; or None while there is nothing to ask. A new subject is asked at once, a new extent when there is time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from app.runs import Run
from app.state import Pin, State
from model.lens_messages import LatentFormat
from model.messages import (
    AggregateAttention,
    AskHeads,
    Command,
    MeasureDrift,
    Minus,
    Quantity,
    ShowCell,
    ShowLatentMap,
    ShowPicture,
    ShowRanks,
    ShowReading,
    ShowRow,
    ShowScores,
    SurveyHeads,
)

Kind = str
Range = tuple[int, int]
Make = Callable[[int], Command | None]  # None: everything of it is known already
Asked = tuple[tuple[object, ...], tuple[object, ...], Make] | None
Asker = Callable[[State, Run, "View"], Asked]

EDGE, SMALL_EDGE = 96, 48  # cells along a thumbnail; the smaller one where there are very many heads
MANY_HEADS = 1024
SCORES_WINDOW = 512  # tokens around the selected one
FORMATS: tuple[LatentFormat, ...] = ("int8", "fp8", "int6", "int4")
MOST_PINS = 4


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a map: token ranges (None: all there is) and the tokens that share a cell."""

    queries: Range | None = None
    keys: Range | None = None
    cell: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class View:
    """What the widgets have room for now, and which panels are on screen."""

    map: Window = field(default_factory=Window)
    pins: Window = field(default_factory=Window)
    latents: tuple[Range | None, int] = (None, 1)  # tokens, and how many share a column
    layers: tuple[int, ...] = ()  # of the mosaic, in the order in which they should come
    panels: frozenset[str] = frozenset({"attention"})


def ask_map(state: State, run: Run, view: View) -> Asked:
    """The selected head's picture."""
    if state.choices.quantity == "both" or not _looked_at("attention", run, view):
        return None
    pin = Pin(run.info.run, state.selection.layer, state.selection.head)
    return _picture(state, run, view.map, pin, slot="map", quantity=state.choices.quantity)


def ask_part(quantity: Quantity, state: State, run: Run, view: View) -> Asked:
    """Content or position scores, when they are shown side by side."""
    if state.choices.quantity != "both" or not _looked_at("attention", run, view):
        return None
    pin = Pin(run.info.run, state.selection.layer, state.selection.head)
    return _picture(state, run, view.map, pin, slot=quantity, quantity=quantity)


def ask_pin(index: int, state: State, _run: Run, view: View) -> Asked:
    """One pinned head."""
    if index >= len(state.pins) or state.choices.compare_mode != "side" or "compare" not in view.panels:
        return None
    pin = state.pins[index]
    run = state.run_named(pin.run)
    if run is None or not run.info.attention_available:
        return None
    return _picture(state, run, view.pins, pin, slot=f"pin:{index}", quantity="probability")


def ask_difference(state: State, _run: Run, view: View) -> Asked:
    """The first pinned head minus the second."""
    if len(state.pins) < 2 or state.choices.compare_mode != "difference" or "compare" not in view.panels:
        return None
    one, other = (state.run_named(pin.run) for pin in state.pins[:2])
    if one is None or other is None or not (one.info.attention_available and other.info.attention_available):
        return None
    shorter = one if one.tokens <= other.tokens else other
    return _picture(
        state, shorter, view.pins, state.pins[0], slot="difference", quantity="probability", minus=state.pins[1]
    )


def ask_gallery(state: State, run: Run, view: View) -> Asked:
    """Small maps of the layer's heads, with what they do."""
    if not _looked_at("attention", run, view) and not _looked_at("heads", run, view):
        return None
    layer = state.selection.layer
    quantity: Quantity = "probability" if state.choices.quantity == "both" else state.choices.quantity

    def make(request: int) -> Command:
        return SurveyHeads(
            request=request, run=run.info.run, layers=[layer], edge=EDGE, quantity=quantity, slot="gallery"
        )

    return (run.info.run, layer, quantity), (run.tokens,), make


def ask_mosaic(state: State, run: Run, view: View) -> Asked:
    """Small maps of all layers' heads: those in view first, and none that is known already."""
    if state.choices.heads_mode != "all" or not _looked_at("heads", run, view):
        return None
    config, tokens, known = run.info.config, run.tokens, state.shown.heads
    order = (*view.layers, *(layer for layer in range(config.layers) if layer not in view.layers))

    def make(request: int) -> Command | None:
        missing = [
            layer
            for layer in order
            if any((layer, head) not in known or known[layer, head].tokens != tokens for head in range(config.heads))
        ]
        edge = EDGE if config.layers * config.heads <= MANY_HEADS else SMALL_EDGE
        slot = "mosaic"
        return SurveyHeads(request=request, run=run.info.run, layers=missing, edge=edge, slot=slot) if missing else None

    return (run.info.run, view.layers), (tokens,), make


def ask_row(state: State, run: Run, view: View) -> Asked:
    """The selected query's profile."""
    selection = state.selection
    if selection.token is None or not _looked_at("attention", run, view):
        return None
    query = selection.token
    subject: tuple[object, ...] = (run.info.run, selection.layer, selection.head)
    # While the selection follows the run, its query changes with every token: that is growth, not a new subject.
    extent: tuple[object, ...] = (query,) if state.following else ()
    if not state.following:
        subject = (*subject, query)

    def make(request: int) -> Command:
        return ShowRow(request=request, run=run.info.run, layer=selection.layer, head=selection.head, query=query)

    return subject, extent, make


def ask_scores(state: State, run: Run, _view: View) -> Asked:
    """Router scores around the selected token."""
    layer, token = state.selection.layer, state.selection.token
    if layer not in run.info.config.moe_layers or token is None:
        return None
    start = max(0, min(token - SCORES_WINDOW // 2, run.tokens - SCORES_WINDOW))
    tokens = (start, min(run.tokens, start + SCORES_WINDOW))

    def make(request: int) -> Command:
        return ShowScores(request=request, run=run.info.run, layer=layer, tokens=tokens)

    return (run.info.run, layer), tokens, make


def ask_cell(state: State, run: Run, _view: View) -> Asked:
    """The cell under the cursor."""
    hovered, selection = state.hovered, state.selection
    if not run.info.attention_available or hovered is None or hovered[0] >= run.tokens:
        return None
    query, key = hovered

    def make(request: int) -> Command:
        here = run.info.run, selection.layer, selection.head
        return ShowCell(request=request, run=here[0], layer=here[1], head=here[2], query=query, key=key)

    # The cell is growth, not a new subject: a moving mouse waits for the answer before.
    return (run.info.run, selection.layer, selection.head), hovered, make


def ask_sums(state: State, run: Run, view: View) -> Asked:
    """What the head's rows add up to; content against position needs it too."""
    both = state.choices.quantity == "both" and _looked_at("attention", run, view)
    if not both and not _looked_at("sums", run, view):
        return None
    layer, head = state.selection.layer, state.selection.head

    def make(request: int) -> Command:
        return AggregateAttention(request=request, run=run.info.run, layer=layer, head=head)

    return (run.info.run, layer, head), (run.tokens,), make


def ask_latents(state: State, run: Run, view: View) -> Asked:
    """What the cache holds."""
    if state.choices.latents_mode != "map" or "latents" not in view.panels:
        return None
    layer, (tokens, cell) = state.selection.layer, view.latents
    span = clip(tokens or (0, run.tokens), run.tokens)

    def make(request: int) -> Command:
        return ShowLatentMap(request=request, run=run.info.run, layer=layer, tokens=span, cell=cell)

    return (run.info.run, layer, tokens, cell if tokens else None), (span, cell), make


def ask_ranks(state: State, run: Run, view: View) -> Asked:
    """How many dimensions the latents of each layer use."""
    if state.choices.latents_mode != "rank" or "latents" not in view.panels:
        return None
    return (run.info.run,), (run.tokens,), lambda request: ShowRanks(request=request, run=run.info.run)


def ask_reading(state: State, run: Run, view: View) -> Asked:
    """Which latent dimensions the layer's heads read."""
    if state.choices.latents_mode != "reading" or not _looked_at("latents", run, view):
        return None
    layer = state.selection.layer
    return (run.info.run, layer), (), lambda request: ShowReading(request=request, run=run.info.run, layer=layer)


def ask_drift(state: State, run: Run, _view: View) -> Asked:
    """What fewer bits would change, when somebody asked for it."""
    if state.drift_wanted is None or state.drift_wanted[:2] != (run.info.run, state.selection.layer):
        return None
    if not run.info.attention_available:
        return None
    layer, heads = state.selection.layer, list(range(run.info.config.heads))

    def make(request: int) -> Command:
        return MeasureDrift(request=request, run=run.info.run, layer=layer, heads=heads, formats=list(FORMATS))

    return state.drift_wanted, (), make


def ask_heads(state: State, run: Run, view: View) -> Asked:
    """Which heads connect two tokens."""
    if state.pair is None or state.choices.heads_mode != "pair" or not _looked_at("heads", run, view):
        return None
    query, key = state.pair
    if query >= run.tokens:
        return None
    name = run.info.run
    return (name, query, key), (), lambda request: AskHeads(request=request, run=name, query=query, key=key)


def clip(span: Range, tokens: int) -> Range:
    """The part of a range that a run has, one token at least."""
    start = min(max(span[0], 0), tokens - 1)
    return start, min(max(span[1], start + 1), tokens)


def _looked_at(panel: str, run: Run, view: View) -> bool:
    return run.info.attention_available and panel in view.panels


def _picture(
    state: State, run: Run, window: Window, pin: Pin, *, slot: str, quantity: Quantity, minus: Pin | None = None
) -> Asked:
    """A picture of a head; `run` says how many tokens there are."""
    queries, keys = (clip(span or (0, run.tokens), run.tokens) for span in (window.queries, window.keys))
    reduction, exact = state.choices.reduction, state.choices.exact
    if reduction == "sum" and quantity != "probability":
        reduction = "mean"
    cell = window.cell if max(window.cell) > 1 or window.queries else _bounded(run.tokens)

    def make(request: int) -> Command:
        return ShowPicture(
            request=request,
            run=pin.run,
            layer=pin.layer,
            heads=[pin.head],
            queries=queries,
            keys=keys,
            cell=cell,
            quantity=quantity,
            reduction=reduction,
            exact=exact,
            slot=slot,
            minus=None if minus is None else Minus(run=minus.run, layer=minus.layer, head=minus.head),
        )

    # A zoom is a new subject; while everything is shown, more tokens and larger cells are growth.
    place = (window.queries, window.keys, window.cell) if window.queries or window.keys else ()
    return (pin, minus, quantity, reduction, exact, place), (queries, keys, cell), make


def _bounded(tokens: int) -> tuple[int, int]:
    """Cells for a whole map before any widget has said how much room it has."""
    cell = 1
    while tokens > 1024 * cell:
        cell *= 2
    return cell, cell


ASKERS: dict[Kind, Asker] = {
    "map": ask_map,
    "content": partial(ask_part, "content"),
    "position": partial(ask_part, "position"),
    "gallery": ask_gallery,
    "row": ask_row,
    "cell": ask_cell,
    "scores": ask_scores,
    "pair": ask_heads,
    "difference": ask_difference,
    **{f"pin:{index}": partial(ask_pin, index) for index in range(MOST_PINS)},
    "sums": ask_sums,
    "latents": ask_latents,
    "ranks": ask_ranks,
    "reading": ask_reading,
    "drift": ask_drift,
    "mosaic": ask_mosaic,
}
SHORTEST_PAUSE: dict[Kind, float] = {
    "gallery": 0.4, "scores": 0.5, "cell": 0.03, "mosaic": 1.0, "sums": 0.5, "ranks": 2.0, "latents": 0.25
}  # fmt: skip
USUAL_PAUSE = 0.08
