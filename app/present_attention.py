"""From State to the five views of attention: its map, its heads, comparisons, latents, sums.

Answers are turned into what widgets take once each, however often the window is redrawn.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.runs import Run
from app.shown import Place, SeenHead
from app.state import State
from model.messages import (
    Aggregated,
    CellShown,
    DriftShown,
    HeadsAsked,
    LatentMapShown,
    PictureShown,
    RanksShown,
    ReadingShown,
    RowShown,
)
from widgets.attention.attention_view import AttentionView
from widgets.attention.data import AttentionMap, CellValues, HeadGallery, Quantity, RowProfile, ScoreParts, Stage
from widgets.attention.readout import stage_text
from widgets.compare.compare_view import CompareView
from widgets.compare.data import PinnedHead
from widgets.heads.data import HeadScores, PairScores
from widgets.heads.heads_view import HeadsView
from widgets.latents.data import Drift, LatentMap, Ranks, Reading
from widgets.latents.latents_view import LatentsView
from widgets.panel import Panel
from widgets.sums.data import Sums
from widgets.sums.sums_view import SumsView

translate = QCoreApplication.translate


def show_attention(view: AttentionView, state: State) -> None:
    """The map, the gallery and the selected query's profile, as far as they have arrived."""
    run, shown = state.run, state.shown
    if run is None or not run.tokens:
        view.clear(
            translate(
                "present", "The attention of every head appears here, rebuilt from the latent cache. Run a prompt."
            )
        )
        return
    both = state.choices.quantity == "both"
    newest = shown.pictures.get("content" if both else "map")
    current = newest is not None and _is_current(newest, state)
    if not current and not run.info.attention_available:
        view.clear(run.info.attention_reason)
        return
    if not current and state.engine == "dead":  # a picture of another layer or head would contradict the selection
        view.clear(translate("present", "The engine has stopped, so no more attention can be rebuilt: restart it."))
        return
    view.show_tokens(_texts(run))
    view.show_quantity(state.choices.quantity)
    view.show_reduction(state.choices.reduction)
    view.show_exact(state.choices.exact)
    _show_maps(view, state)
    gallery = _gallery(shown.gallery, state)
    if gallery is not None:
        view.show_gallery(gallery)
    row = shown.row
    if row is not None and (row.layer, row.head) == (state.selection.layer, state.selection.head):
        view.show_row(_profile(row))
    view.show_hovered_cell(_cell(shown.cell) if shown.cell is not None else None)
    view.show_selection(state.selection)


def show_heads(view: HeadsView, before: State | None, state: State) -> None:
    """All heads as small maps; only those that are new since `before` are handed over (None: all of them)."""
    run = state.run
    if _hinted(view, run, translate("present", "Every head as a small map appears here. Run a prompt.")):
        return
    assert run is not None
    config = run.info.config
    same_run = before is not None and before.current == state.current
    if not same_run:
        view.forget_thumbnails()
    view.show_heads(config.layers, config.heads, run.tokens)
    view.show_tokens(_texts(run))
    view.show_mode(state.choices.heads_mode)
    view.show_order(state.choices.heads_order)
    known = before.shown.heads if before is not None and same_run else {}
    if state.shown.heads is not known:
        fresh = {place: head for place, head in state.shown.heads.items() if known.get(place) is not head}
        view.show_thumbnails({place: head.values for place, head in fresh.items()})
        view.show_scores(_scores(state))
    if state.pair is not None:
        view.show_asked(*state.pair)
    asked = state.shown.asked
    view.show_pair(_pair(asked) if asked is not None and (asked.query, asked.key) == state.pair else None)
    view.show_selection(state.selection)


def show_compare(view: CompareView, state: State) -> None:
    """Pinned heads side by side, or the difference of the first two."""
    run = state.run
    if not state.pins or run is None:
        view.clear()
        return
    runs = [state.run_named(pin.run) for pin in state.pins]
    view.show_pins(
        tuple(
            PinnedHead(pin.run, each.info.title, pin.layer, pin.head, each.tokens)
            for pin, each in zip(state.pins, runs, strict=True)
            if each is not None
        )
    )
    view.show_tokens(_texts(run))
    view.show_mode(state.choices.compare_mode)
    for index, pin in enumerate(state.pins):
        picture = state.shown.pictures.get(f"pin:{index}")
        if picture is not None and (picture.run, picture.layer, picture.heads[0]) == (pin.run, pin.layer, pin.head):
            view.show_map(index, _map(picture))
    difference = state.shown.pictures.get("difference")
    if difference is not None:
        view.show_difference(_map(difference))
    view.show_selection(state.selection)


def show_latents(view: LatentsView, state: State, *, measuring: bool = False) -> None:
    """What the cache holds, how much of it is used, who reads it, in how few bits it could be kept."""
    run, shown = state.run, state.shown
    if run is None or not run.tokens:
        view.clear()
        return
    layer = state.selection.layer
    view.show_tokens(run.tokens)
    view.show_mode(state.choices.latents_mode)
    if shown.latents is not None and shown.latents.layer == layer:
        view.show_map(_latent_map(shown.latents))
    view.show_ranks(_ranks(shown.ranks) if shown.ranks is not None else None)
    view.show_reading(_reading(shown.reading) if shown.reading is not None and shown.reading.layer == layer else None)
    drift = shown.drift if shown.drift is not None and shown.drift.layer == layer else None
    view.show_drift(_drift(drift) if drift is not None else None, measuring=measuring)
    view.show_selection(state.selection)


def show_sums(view: SumsView, state: State) -> None:
    """What the selected head's rows add up to."""
    run, sums = state.run, state.shown.sums
    if _hinted(view, run, translate("present", "What a head's rows add up to appears here. Run a prompt.")):
        return
    assert run is not None
    view.show_tokens(_texts(run))
    if sums is not None and (sums.layer, sums.head) == (state.selection.layer, state.selection.head):
        view.show_sums(_sums(sums), _parts(sums))
    else:
        view.show_waiting(state.selection.layer, state.selection.head)
    view.show_selection(state.selection)


def _texts(run: Run) -> list[str]:
    """The run's tokens as this state knows them; not copied when that is all there are, as in every finished run."""
    return run.texts if len(run.texts) == run.tokens else run.texts[: run.tokens]


def _hinted(view: AttentionView | HeadsView | SumsView, run: Run | None, hint: str) -> bool:
    """Show a hint where there is nothing to show; True when it was."""
    assert isinstance(view, Panel)
    if run is None or not run.tokens:
        view.clear(hint)
        return True
    if not run.info.attention_available:
        view.clear(run.info.attention_reason)
        return True
    return False


def _show_maps(view: AttentionView, state: State) -> None:
    pictures = state.shown.pictures
    slots = ("content", "position") if state.choices.quantity == "both" else ("map",)
    for slot in slots:
        picture = pictures.get(slot)
        if picture is not None and _is_current(picture, state):
            show = view.show_map if slot == "map" else view.show_part_map
            show(_map(picture))
    sums = state.shown.sums
    fits = sums is not None and (sums.layer, sums.head) == (state.selection.layer, state.selection.head)
    view.show_parts(_parts(sums) if sums is not None and fits else None)


def _is_current(answer: PictureShown, state: State) -> bool:
    selection, quantity = state.selection, state.choices.quantity
    fits = answer.quantity in ("content", "position") if quantity == "both" else answer.quantity == quantity
    return (answer.layer, answer.heads[0]) == (selection.layer, selection.head) and fits


def _stage(answer: PictureShown) -> Stage:
    return Stage(answer.rows_done, answer.rows_total, answer.arithmetic)


@lru_cache(maxsize=16)
def _map(answer: PictureShown) -> AttentionMap:
    quantity: Quantity = answer.quantity if answer.minus is None else "difference"
    return AttentionMap(
        run=answer.run,
        layer=answer.layer,
        head=answer.heads[0],
        queries=answer.queries,
        keys=answer.keys,
        quantity=quantity,
        reduction=answer.reduction,
        cell=answer.cell,
        values=answer.values.numpy()[0],
        stage=_stage(answer),
    )


_galleries: list[tuple[object, HeadGallery]] = []  # the last one made, and what of: made again only for new answers


def _gallery(seen: Mapping[Place, SeenHead], state: State) -> HeadGallery | None:
    """The layer's small maps as far as they have come, in order; the rest is masked until it comes."""
    heads = {place[1]: head for place, head in seen.items() if place[0] == state.selection.layer}
    if not heads:
        return None
    if _galleries and _galleries[0][0] is seen:
        return _galleries[0][1]
    some = next(iter(heads.values()))
    count = state.run.info.config.heads if state.run is not None else len(heads)
    newest = max(head.tokens for head in heads.values())
    shape = max((head.values.shape for head in heads.values() if head.tokens == newest), default=some.values.shape)
    values = np.full((count, *shape), np.nan, dtype=np.float32)
    for number, head in heads.items():
        if head.values.shape == shape:
            values[number] = head.values
    made = HeadGallery(
        layer=state.selection.layer,
        heads=tuple(range(count)),
        queries=(0, newest),
        keys=(0, newest),
        quantity=some.quantity,
        values=values,
    )
    _galleries[:] = [(seen, made)]
    return made


@lru_cache(maxsize=2)
def _profile(row: RowShown) -> RowProfile:
    return RowProfile(
        layer=row.layer,
        head=row.head,
        query=row.query,
        probabilities=row.probabilities.numpy(),
        content_scores=row.content_scores.numpy(),
        position_scores=row.position_scores.numpy(),
    )


def _cell(cell: CellShown) -> CellValues:
    names = ("layer", "head", "query", "key", "probability", "content", "position", "rank", "seen")
    return CellValues(**{name: getattr(cell, name) for name in names})


def _scores(state: State) -> HeadScores:
    heads, newest = state.shown.heads, state.shown.surveyed
    basis = ""
    if newest is not None:
        basis = stage_text(Stage(newest.rows_done, newest.rows_total, newest.arithmetic))
    return HeadScores(
        values={place: head.statistics for place, head in heads.items()},
        labels={place: head.label for place, head in heads.items()},
        basis=basis,
    )


@lru_cache(maxsize=2)
def _pair(asked: HeadsAsked) -> PairScores:
    return PairScores(
        query=asked.query,
        key=asked.key,
        probabilities=asked.probability.numpy(),
        content_scores=asked.content.numpy(),
        position_scores=asked.position.numpy(),
        ranks=asked.rank.numpy(),
    )


@lru_cache(maxsize=2)
def _parts(sums: Aggregated) -> ScoreParts:
    return ScoreParts(
        layer=sums.layer,
        head=sums.head,
        queries=sums.queries.numpy(),
        content_variance=sums.content_variance.numpy(),
        position_variance=sums.position_variance.numpy(),
        stage=Stage(sums.rows_done, sums.rows_total, ""),
    )


@lru_cache(maxsize=2)
def _sums(sums: Aggregated) -> Sums:
    return Sums(
        layer=sums.layer,
        head=sums.head,
        queries=sums.queries.numpy(),
        received=sums.received.numpy(),
        seen=sums.seen.numpy(),
        entropy=sums.entropy.numpy(),
        distance=sums.distance.numpy(),
        edges=sums.edges.numpy(),
        sinks=sums.sinks.numpy(),
        stage=Stage(sums.rows_done, sums.rows_total, ""),
    )


@lru_cache(maxsize=2)
def _latent_map(shown: LatentMapShown) -> LatentMap:
    return LatentMap(
        layer=shown.layer,
        tokens=shown.tokens,
        cell=shown.cell,
        values=shown.values.numpy(),
        norms=shown.norms.numpy(),
        rope_norms=shown.rope_norms.numpy(),
    )


@lru_cache(maxsize=2)
def _ranks(shown: RanksShown) -> Ranks:
    return Ranks(tokens=shown.tokens, ranks=shown.ranks.numpy(), spectra=shown.spectra.numpy())


@lru_cache(maxsize=2)
def _reading(shown: ReadingShown) -> Reading:
    return Reading(layer=shown.layer, norms=shown.norms.numpy(), singular=shown.singular.numpy())


@lru_cache(maxsize=2)
def _drift(shown: DriftShown) -> Drift:
    return Drift(
        layer=shown.layer,
        heads=tuple(shown.heads),
        formats=tuple(cast(list[str], shown.formats)),
        mean=shown.mean.numpy(),
        worst=shown.worst.numpy(),
        bytes=shown.bytes.numpy(),
        rows=shown.rows_done,
        of=shown.rows_total,
        final=shown.final,
    )
