"""The exact words about a map and about one of its cells."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QCoreApplication

from widgets.attention.data import AttentionMap, CellValues, Range, RowProfile, Stage
from widgets.token_text import visible

CONTEXT = "AttentionView"


def sentence(shown: AttentionMap) -> str:
    """What the map shows: layer, head, tokens, and how many of them share a cell."""
    words = [
        QCoreApplication.translate(CONTEXT, "layer {0} · head {1}").format(shown.layer, shown.head),
        *([] if shown.quantity == "probability" else [quantity_name(shown)]),
        _extent(shown) + ", " + _detail(shown),
    ]
    return " · ".join(words)


def quantity_name(shown: AttentionMap) -> str:
    """The quantity in words."""
    match shown.quantity:
        case "probability":
            return QCoreApplication.translate(CONTEXT, "probabilities")
        case "content":
            return QCoreApplication.translate(CONTEXT, "content scores")
        case "position":
            return QCoreApplication.translate(CONTEXT, "position scores")
        case "difference":
            return QCoreApplication.translate(CONTEXT, "differences of probability")


def cell_text(
    shown: AttentionMap,
    texts: Sequence[str],
    *,
    query: int,
    key: int,
    row: RowProfile | None = None,
    cell: CellValues | None = None,
) -> str:
    """One pair of tokens in full; scores and rank when they are known from the query's profile or of the cell itself.

    Where tokens share a cell of the map, its own value stands at the end.
    """
    pair = QCoreApplication.translate(CONTEXT, "query {0} “{1}” → key {2} “{3}”").format(
        query, _token(texts, query), key, _token(texts, key)
    )
    if key > query:
        return pair + "  " + QCoreApplication.translate(CONTEXT, "masked: this key comes later")
    value = value_at(shown, query, key)
    pooled = shown.is_reduced() and value is not None
    known = ""
    if row is not None and (row.layer, row.head, row.query) == (shown.layer, shown.head, query):
        known = row_text(row, key)
    elif cell is not None and (cell.layer, cell.head, cell.query, cell.key) == (shown.layer, shown.head, query, key):
        known = values_text(cell)
    if not known:
        return pair if value is None else f"{pair}  {_pooled_text(shown, value) if pooled else _value(shown, value)}"
    if shown.quantity == "difference" and value is not None:
        known = _value(shown, value)
    return f"{pair}  {known}  {_pooled_text(shown, value)}" if pooled and value is not None else f"{pair}  {known}"


def row_text(row: RowProfile, key: int) -> str:
    """All that is known about one key of the profile's query."""
    return QCoreApplication.translate(CONTEXT, "p {0}  content {1}  position {2}  rank {3}").format(
        probability(float(row.probabilities[key])),
        score(float(row.content_scores[key])),
        score(float(row.position_scores[key])),
        row.rank(key),
    )


def values_text(cell: CellValues) -> str:
    """All that is known about one cell."""
    return QCoreApplication.translate(CONTEXT, "p {0}  content {1}  position {2}  rank {3}").format(
        probability(cell.probability), score(cell.content), score(cell.position), f"{cell.rank:,}"
    )


def value_at(shown: AttentionMap, query: int, key: int) -> float | None:
    """The value of the cell that covers this pair; None outside the map and where it is masked."""
    row, column = (query - shown.queries[0]) // shown.cell[0], (key - shown.keys[0]) // shown.cell[1]
    rows, columns = shown.values.shape
    inside = 0 <= row < rows and 0 <= column < columns and query < shown.queries[1] and key < shown.keys[1]
    if not inside or np.isnan(shown.values[row, column]):
        return None
    return float(shown.values[row, column])


def probability(value: float) -> str:
    """Three digits after the point; two significant ones below a thousandth."""
    return f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:.1e}"


def score(value: float) -> str:
    """A score with its sign and two digits."""
    return f"{value:+.2f}".replace("-", "−")


def _value(shown: AttentionMap, value: float) -> str:
    match shown.quantity:
        case "probability":
            return QCoreApplication.translate(CONTEXT, "p {0}").format(probability(value))
        case "content":
            return QCoreApplication.translate(CONTEXT, "content {0}").format(score(value))
        case "position":
            return QCoreApplication.translate(CONTEXT, "position {0}").format(score(value))
        case "difference":
            return QCoreApplication.translate(CONTEXT, "difference {0}").format(f"{value:+.3f}".replace("-", "−"))


def _pooled_text(shown: AttentionMap, value: float) -> str:
    """The value that the map shows there, and of how many pairs it is."""
    return QCoreApplication.translate(CONTEXT, "{0} of {1} × {2}: {3}").format(
        reduction_name(shown), *(f"{size:,}" for size in shown.cell), _value(shown, value)
    )


def _block(tokens: Range, size: int, token: int) -> str:
    first = token - (token - tokens[0]) % size
    last = min(first + size, tokens[1]) - 1
    return f"{first:,}–{last:,}" if last > first else f"{first:,}"


def _extent(shown: AttentionMap) -> str:
    if shown.queries[0] == shown.keys[0] == 0:
        return QCoreApplication.translate(CONTEXT, "{0} × {1} tokens").format(
            f"{shown.queries[1]:,}", f"{shown.keys[1]:,}"
        )
    return QCoreApplication.translate(CONTEXT, "queries {0} × keys {1}").format(
        _block(shown.queries, max(shown.queries[1] - shown.queries[0], 1), shown.queries[0]),
        _block(shown.keys, max(shown.keys[1] - shown.keys[0], 1), shown.keys[0]),
    )


def _detail(shown: AttentionMap) -> str:
    if not shown.is_reduced():
        cells = QCoreApplication.translate(CONTEXT, "every cell")
    else:
        cells = QCoreApplication.translate(CONTEXT, "{0} of {1} × {2} tokens").format(
            reduction_name(shown), *(f"{size:,}" for size in shown.cell)
        )
    return cells if shown.stage is None else f"{cells} · {stage_text(shown.stage)}"


def stage_text(stage: Stage) -> str:
    """`64 of 131,072 rows, bf16`; `every row, bf16`; only float32 of every row is `exact`."""
    arithmetic = f", {stage.arithmetic}" if stage.arithmetic else ""
    if not stage.is_last():
        words = QCoreApplication.translate(CONTEXT, "{0} of {1} rows")
        return words.format(f"{stage.rows:,}", f"{stage.of:,}") + arithmetic
    if stage.arithmetic == "float32":
        return QCoreApplication.translate(CONTEXT, "every row, float32, exact")
    return QCoreApplication.translate(CONTEXT, "every row") + arithmetic


def reduction_name(shown: AttentionMap) -> str:
    """How tokens that share a cell were combined."""
    if shown.reduction == "max":
        return QCoreApplication.translate(CONTEXT, "max")
    if shown.reduction == "sum":
        return QCoreApplication.translate(CONTEXT, "sum over keys")
    return QCoreApplication.translate(CONTEXT, "mean")


def _token(texts: Sequence[str], token: int) -> str:
    return visible(texts[token]) if 0 <= token < len(texts) else "…"
