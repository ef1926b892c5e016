"""Hand-made answers to what the views ask about attention and latents: even maps, round numbers."""

import numpy as np

from model.messages import (
    AggregateAttention,
    Aggregated,
    Array,
    AskHeads,
    CellShown,
    Command,
    Event,
    HeadsAsked,
    HeadsSurveyed,
    HeadStatistics,
    LatentMapShown,
    PictureShown,
    ReadingShown,
    RowShown,
    ShowCell,
    ShowLatentMap,
    ShowPicture,
    ShowReading,
    ShowRow,
    SurveyHeads,
)

STATISTICS = ("entropy", "diffuseness", "distance", "sink", "previous", "induction", "same", "local", "content")


def floats(*values: float) -> Array:
    return Array.of(np.array(values, np.float32))


def causal(heads: int, size: int, value: float = 0.5) -> Array:
    values = np.full((heads, size, size), value, np.float32)
    values[:, *np.triu_indices(size, 1)] = np.nan
    return Array.of(values)


def picture(command: ShowPicture, *, rows_done: int | None = None, value: float = 0.5, run: str = "") -> PictureShown:
    """The whole square in one event; `rows_done` makes it a stage that is not the last."""
    size = -(-(command.queries[1] - command.queries[0]) // command.cell[0])
    total = command.queries[1] - command.queries[0]
    names = ("request", "layer", "heads", "queries", "keys", "cell", "quantity", "reduction", "slot", "minus")
    return PictureShown(
        **{name: getattr(command, name) for name in names},
        run=run or command.run,
        values=causal(len(command.heads), size, value),
        rows_done=total if rows_done is None else rows_done,
        rows_total=total,
        arithmetic="bf16",
        final=rows_done is None,
        seconds=0.01,
        kept_bytes=1000,
        bf16_error=0.002,
    )


def survey(command: SurveyHeads, *, heads: int = 4, tokens: int = 6) -> HeadsSurveyed:
    """All heads of the first layer asked for."""
    scores = {name: floats(*(np.arange(heads) / heads)) for name in STATISTICS}
    labels = ["previous token", *["mixed"] * (heads - 1)]
    return HeadsSurveyed(
        request=command.request,
        run=command.run,
        layer=command.layers[0],
        heads=list(range(heads)),
        tokens=tokens,
        cell=(1, 1),
        quantity=command.quantity,
        values=causal(heads, tokens),
        statistics=HeadStatistics(**scores, labels=labels, scores=floats(*[0.9] * heads)),
        rows_done=tokens,
        rows_total=tokens,
        arithmetic="float32",
        done=heads,
        total=heads,
        final=True,
        slot=command.slot,
    )


def row(command: ShowRow) -> RowShown:
    even = Array.of(np.full(command.query + 1, 1 / (command.query + 1), np.float32))
    names = ("run", "layer", "head", "query", "request")
    given = {name: getattr(command, name) for name in names}
    return RowShown(**given, probabilities=even, content_scores=even, position_scores=even)


def cell(command: ShowCell) -> CellShown:
    names = ("run", "layer", "head", "query", "key", "request")
    given = {name: getattr(command, name) for name in names}
    return CellShown(**given, probability=0.5, content=0.5, position=-0.25, rank=1, seen=command.query + 1)


def sums(command: AggregateAttention, *, tokens: int = 6) -> Aggregated:
    ones = np.ones(tokens, np.float32)
    return Aggregated(
        request=command.request,
        run=command.run,
        layer=command.layer,
        head=command.head,
        queries=Array.of(np.arange(tokens)),
        received=Array.of(np.arange(tokens, 0.0, -1.0)),
        seen=Array.of(np.arange(tokens, 0, -1)),
        entropy=Array.of(ones),
        distance=Array.of(np.array([0.25, 0.25, 0.5])),
        edges=Array.of(np.array([0, 1, 2, 4])),
        content_variance=Array.of(ones),
        position_variance=Array.of(3 * ones),
        covariance=Array.of(0 * ones),
        sinks=Array.of(np.array([0])),
        rows_done=tokens,
        rows_total=tokens,
        final=True,
    )


def latents(command: ShowLatentMap) -> LatentMapShown:
    rows = -(-(command.tokens[1] - command.tokens[0]) // command.cell)
    return LatentMapShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        tokens=command.tokens,
        cell=command.cell,
        values=Array.of(np.ones((rows, 8), np.float32)),
        norms=Array.of(np.ones((rows, 2), np.float32)),
        rope_norms=Array.of(np.ones((rows, 2), np.float32)),
        mean=floats(*[1.0] * 8),
        deviation=floats(*[0.0] * 8),
    )


def reading(command: ShowReading) -> ReadingShown:
    return ReadingShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        norms=Array.of(np.ones((4, 8), np.float32)),
        singular=Array.of(np.ones((4, 4), np.float32)),
    )


def asked(command: AskHeads, *, layers: int = 3, heads: int = 4) -> HeadsAsked:
    """Head 2 of layer 1 gives the key the most."""
    probability = np.full((layers, heads), 0.1, np.float32)
    probability[1, 2] = 0.9
    return HeadsAsked(
        request=command.request,
        run=command.run,
        query=command.query,
        key=command.key,
        probability=Array.of(probability),
        content=Array.of(probability),
        position=Array.of(probability),
        rank=Array.of(np.ones((layers, heads), np.int32)),
        done=layers,
        total=layers,
        final=True,
    )


def answer(command: Command) -> Event | None:
    """The answer to any of these questions; None for other commands."""
    match command:
        case ShowPicture():
            return picture(command)
        case SurveyHeads():
            return survey(command)
        case ShowRow():
            return row(command)
        case ShowCell():
            return cell(command)
        case AggregateAttention():
            return sums(command)
        case ShowLatentMap():
            return latents(command)
        case ShowReading():
            return reading(command)
        case AskHeads():
            return asked(command)
        case _:
            return None
