"""Any head's attention map, row or picture, rebuilt from a recording's latents; never a T × T array."""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.lenses.pooling import Pool
from model.lenses.scores import Block, Layer, Range
from model.messages import Quantity, Reduction
from model.network.pieces import whole
from model.problems import Problem
from model.recording.projections import Projections
from model.recording.recording import Recording

Floats = NDArray[np.float32]


class Pooled(NamedTuple):
    """`values` float32 [heads, rows, columns], NaN where every key is masked; a cell covers `cell` = (q, k) tokens."""

    values: Floats
    cell: tuple[int, int]


def pooled(
    recording: Recording,
    projections: Projections,
    *,
    layer: int,
    heads: Sequence[int],
    queries: Range,
    keys: Range,
    rows: int,
    columns: int,
    quantity: Quantity = "probability",
    reduction: Reduction = "max",
) -> Generator[None, None, Pooled]:
    """One quantity of a query and key range in at most rows × columns cells per head; exact cells when they fit.

    Yields after every piece of work; a cell takes the maximum or the mean of the keys that its queries see.
    Raises Problem for a layer, head or range that is not there, or fewer than one row or column.
    """
    check(recording, layer=layer, heads=heads, ranges=(queries, keys))
    if rows < 1 or columns < 1:
        raise Problem(f"A picture of {rows} × {columns} cells cannot be drawn; ask for one cell or more.")
    pool = Pool(queries, keys, rows=rows, columns=columns, reduction=reduction)
    # A probability needs every key that the query sees; a score needs only the two tokens themselves.
    first = 0 if quantity == "probability" else keys[0]
    last = queries[1] if quantity == "probability" else min(queries[1], keys[1])
    here = Layer(recording, projections, layer=layer, keys=(first, max(first, last)))
    yield from here.read()
    maps = []
    for head in heads:
        pool.clear()
        content_keys = yield from here.content_keys(head, rows=queries[1] - queries[0])
        for part in here.query_blocks(queries):
            seen = first, min(part[1], last)
            if seen[0] < seen[1]:
                block = here.block(head, part, keys=seen, content_keys=content_keys)
                pool.add(_values(block, quantity), part, first)
            yield
        maps.append(pool.result())
    return Pooled(np.stack(maps) if maps else np.empty((0, *pool.shape), np.float32), pool.cell)


def scores(
    recording: Recording, projections: Projections, *, layer: int, heads: Sequence[int], queries: Range, keys: Range
) -> tuple[Floats, Floats]:
    """Content and position scores, scaled, before softmax: two float32 [heads, queries, keys]; masked cells −inf.

    Meant for ranges whose arrays fit in memory. Raises Problem for a layer, head or range that is not there.
    """
    check(recording, layer=layer, heads=heads, ranges=(queries, keys))
    shape = (len(heads), queries[1] - queries[0], keys[1] - keys[0])
    content_HQK, position_HQK = np.full(shape, -np.inf, np.float32), np.full(shape, -np.inf, np.float32)
    here = Layer(recording, projections, layer=layer, keys=keys)
    whole(here.read())
    for index, head in enumerate(heads):
        content_keys = whole(here.content_keys(head, rows=shape[1]))
        for rows in here.query_blocks(queries):
            block = here.block(head, rows, content_keys=content_keys)
            at = slice(rows[0] - queries[0], rows[1] - queries[0])
            content_HQK[index, at] = block.hide(block.content_QK).cpu().numpy()
            position_HQK[index, at] = block.hide(block.position_QK).cpu().numpy()
    return content_HQK, position_HQK


def probabilities(
    recording: Recording, projections: Projections, *, layer: int, heads: Sequence[int], queries: Range, keys: Range
) -> Floats:
    """What each query gives to each key, float32 [heads, queries, keys]; masked cells 0.

    The softmax runs over all keys that a query sees, whichever of them are asked for. Raises Problem like `scores`.
    """
    check(recording, layer=layer, heads=heads, ranges=(queries, keys))
    result_HQK = np.zeros((len(heads), queries[1] - queries[0], keys[1] - keys[0]), np.float32)
    here = Layer(recording, projections, layer=layer, keys=(0, queries[1]))
    whole(here.read())
    for index, head in enumerate(heads):
        content_keys = whole(here.content_keys(head, rows=result_HQK.shape[1]))
        for rows in here.query_blocks(queries):
            seen = here.block(head, rows, keys=(0, rows[1]), content_keys=content_keys).probabilities()
            part = seen[:, keys[0] : keys[1]].cpu().numpy()
            result_HQK[index, rows[0] - queries[0] : rows[1] - queries[0], : part.shape[1]] = part
    return result_HQK


def row(
    recording: Recording, projections: Projections, *, layer: int, head: int, query: int
) -> tuple[Floats, Floats, Floats]:
    """Probabilities, content and position scores of one query over the keys it sees: three float32 [query + 1]."""
    check(recording, layer=layer, heads=(head,), ranges=((query, query + 1),))
    here = Layer(recording, projections, layer=layer, keys=(0, query + 1))
    whole(here.read())
    block = here.block(head, (query, query + 1))
    parts = (block.probabilities(), block.content_QK, block.position_QK)
    one, two, three = (part[0].cpu().numpy() for part in parts)
    return one, two, three


def check(recording: Recording, *, layer: int, heads: Sequence[int], ranges: Sequence[Range]) -> None:
    """Refuse what the recording does not have. Raises Problem."""
    config, tokens = recording.info.config, recording.tokens
    if not 0 <= layer < config.layers:
        raise Problem(f"Layer {layer} does not exist; choose one from 0 to {config.layers - 1}.")
    for head in heads:
        if not 0 <= head < config.heads:
            raise Problem(f"Head {head} does not exist; choose one from 0 to {config.heads - 1}.")
    for start, end in ranges:
        if not 0 <= start < end <= tokens:
            raise Problem(f"Tokens {start}:{end} are not in this run; choose a range within 0:{tokens}.")


def _values(block: Block, quantity: Quantity) -> Floats:
    """One quantity of a block [q, k], masked cells −inf."""
    if quantity == "probability":
        values = block.probabilities()
    else:
        values = block.content_QK if quantity == "content" else block.position_QK
    masked: Floats = block.hide(values).cpu().numpy()
    return masked
