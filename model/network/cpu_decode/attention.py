"""Absorbed attention of one query over the latent cache: every cached row is read once for all heads.

The softmax is taken on the way (Milakov and Gimelshein, arXiv 1805.02867): a block of tokens is scored, the highest
score so far is kept per head, and what was summed before is scaled when it rises. Scores have one lane per head, so
they need no sums across lanes. A piece is a range of tokens; pieces are merged by the same rule.
"""

import math

import numpy as np

from model.network.cpu_decode.compiled import LANES, compiled
from model.network.cpu_decode.lanes import (
    add,
    exponential,
    get,
    larger,
    load,
    load_some,
    multiply,
    multiply_add,
    splat,
    store,
    store_some,
)
from model.network.cpu_decode.linear import FLOAT32, add_scaled, fill
from model.network.cpu_decode.tables import Float, Kind, Room, Shape

BLOCK = 64  # tokens scored before their values are read: their latents stay in the nearest cache
TILE = 8  # tokens, and heads, whose sums are in registers at once
SHORTEST_PIECE = 32


@compiled
def piece_floats(shape: Shape) -> int:
    """Numbers that one piece writes: maxima, sums, scores of a block, and what it has read."""
    return shape.lanes * (2 + BLOCK + shape.latent)


@compiled
def attend(kind: Kind, shape: Shape, room: Room, c_kv: int, k_rope: int, piece: int, first: int, last: int) -> None:
    """Maxima, sums and sums of latents of the tokens first … last − 1, for all heads, into the piece's memory."""
    lanes = shape.lanes
    maxima = room.pieces + 4 * piece * piece_floats(shape)
    sums, scores = maxima + 4 * lanes, maxima + 8 * lanes
    read = scores + 4 * lanes * BLOCK
    fill(maxima, lanes, np.float32(-math.inf))
    fill(sums, lanes, np.float32(0))
    fill(read, lanes * shape.latent, np.float32(0))
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        for group in range(0, lanes, LANES):
            _score(kind, shape, room, c_kv, k_rope, start, count, scores, group)
            _soften(shape, scores, maxima, sums, read, count, group)
        for head in range(0, shape.heads, TILE):
            for i in range(0, shape.latent, LANES):
                _read(kind, shape, c_kv, start, count, scores, read, head, i)


@compiled
def _score(
    kind: Kind, shape: Shape, room: Room, c_kv: int, k_rope: int, start: int, count: int, scores: int, group: int
) -> None:
    """scores[t, head] = query[:, head] · (latent, rotated key) of each token, for sixteen heads."""
    lanes, whole = shape.lanes, count - count % TILE
    for t in range(0, whole, TILE):
        a = b = c = d = e = f = g = h = splat(np.float32(0))
        for part in range(2):
            cache, width = (c_kv, shape.latent) if part == 0 else (k_rope, shape.rope)
            queries = room.queries + 4 * (group + part * shape.latent * lanes)
            row = (start + t) * width
            for i in range(width):
                query = load(queries, i * lanes, FLOAT32)
                a = multiply_add(splat(get(cache, row + i, kind)), query, a)
                b = multiply_add(splat(get(cache, row + width + i, kind)), query, b)
                c = multiply_add(splat(get(cache, row + 2 * width + i, kind)), query, c)
                d = multiply_add(splat(get(cache, row + 3 * width + i, kind)), query, d)
                e = multiply_add(splat(get(cache, row + 4 * width + i, kind)), query, e)
                f = multiply_add(splat(get(cache, row + 5 * width + i, kind)), query, f)
                g = multiply_add(splat(get(cache, row + 6 * width + i, kind)), query, g)
                h = multiply_add(splat(get(cache, row + 7 * width + i, kind)), query, h)
        at = t * lanes + group
        store(scores, at, a)
        store(scores, at + lanes, b)
        store(scores, at + 2 * lanes, c)
        store(scores, at + 3 * lanes, d)
        store(scores, at + 4 * lanes, e)
        store(scores, at + 5 * lanes, f)
        store(scores, at + 6 * lanes, g)
        store(scores, at + 7 * lanes, h)
    for t in range(whole, count):
        a = splat(np.float32(0))
        for part in range(2):
            cache, width = (c_kv, shape.latent) if part == 0 else (k_rope, shape.rope)
            queries = room.queries + 4 * (group + part * shape.latent * lanes)
            for i in range(width):
                each = splat(get(cache, (start + t) * width + i, kind))
                a = multiply_add(each, load(queries, i * lanes, FLOAT32), a)
        store(scores, t * lanes + group, a)


@compiled
def _soften(shape: Shape, scores: int, maxima: int, sums: int, read: int, count: int, group: int) -> None:
    """Turn scores into powers of e below the highest so far; scale what was summed when that has risen."""
    before = load(maxima, group, FLOAT32)
    highest = before
    for t in range(count):
        highest = larger(load(scores, t * shape.lanes + group, FLOAT32), highest)
    lower = multiply(highest, splat(np.float32(-1)))
    factor = exponential(add(before, lower))
    total = multiply(load(sums, group, FLOAT32), factor)
    for t in range(count):
        power = exponential(add(load(scores, t * shape.lanes + group, FLOAT32), lower))
        store(scores, t * shape.lanes + group, power)
        total = add(total, power)
    store(sums, group, total)
    store(maxima, group, factor)  # for a moment, to read single lanes
    for head in range(group, min(group + LANES, shape.heads)):
        each = get(maxima, head, FLOAT32)
        if each != 1:
            scale(read + 4 * head * shape.latent, each, shape.latent)
    store(maxima, group, highest)


@compiled
def scale(x: int, factor: Float, width: int) -> None:
    """x[i] *= factor."""
    factors = splat(factor)
    for i in range(0, width, LANES):
        rest = min(LANES, width - i)
        store_some(x, i, rest, multiply(load_some(x, i, rest, FLOAT32), factors))


@compiled
def _read(
    kind: Kind, shape: Shape, c_kv: int, start: int, count: int, scores: int, read: int, head: int, i: int
) -> None:
    """read[head, i …] += Σ score[t, head] · latent[t, i …] for eight heads and sixteen columns."""
    width, lanes = shape.latent, shape.lanes
    rest = min(LANES, width - i)
    at = head * width + i
    a, b = load_some(read, at, rest, FLOAT32), load_some(read, at + width, rest, FLOAT32)
    c, d = load_some(read, at + 2 * width, rest, FLOAT32), load_some(read, at + 3 * width, rest, FLOAT32)
    e, f = load_some(read, at + 4 * width, rest, FLOAT32), load_some(read, at + 5 * width, rest, FLOAT32)
    g, h = load_some(read, at + 6 * width, rest, FLOAT32), load_some(read, at + 7 * width, rest, FLOAT32)
    for t in range(count):
        row, score = (start + t) * width + i, t * lanes + head
        each = load(c_kv, row, kind) if rest == LANES else load_some(c_kv, row, rest, kind)
        a = multiply_add(splat(get(scores, score, FLOAT32)), each, a)
        b = multiply_add(splat(get(scores, score + 1, FLOAT32)), each, b)
        c = multiply_add(splat(get(scores, score + 2, FLOAT32)), each, c)
        d = multiply_add(splat(get(scores, score + 3, FLOAT32)), each, d)
        e = multiply_add(splat(get(scores, score + 4, FLOAT32)), each, e)
        f = multiply_add(splat(get(scores, score + 5, FLOAT32)), each, f)
        g = multiply_add(splat(get(scores, score + 6, FLOAT32)), each, g)
        h = multiply_add(splat(get(scores, score + 7, FLOAT32)), each, h)
    store_some(read, at, rest, a)
    store_some(read, at + width, rest, b)
    store_some(read, at + 2 * width, rest, c)
    store_some(read, at + 3 * width, rest, d)
    store_some(read, at + 4 * width, rest, e)
    store_some(read, at + 5 * width, rest, f)
    store_some(read, at + 6 * width, rest, g)
    store_some(read, at + 7 * width, rest, h)


@compiled
def merge(shape: Shape, room: Room, pieces: int) -> None:
    """The weighted mean of latents [H, C] of all pieces together."""
    lanes, width, size = shape.lanes, shape.latent, 4 * piece_floats(shape)
    fill(room.read, shape.heads * width, np.float32(0))
    for head in range(shape.heads):
        highest = np.float32(-math.inf)
        for piece in range(pieces):
            value = get(room.pieces + piece * size, head, FLOAT32)
            highest = value if value > highest else highest
        total = np.float32(0)
        for piece in range(pieces):
            at = room.pieces + piece * size
            factor = np.float32(math.exp(get(at, head, FLOAT32) - highest))
            total += factor * get(at, lanes + head, FLOAT32)
            start = lanes * (2 + BLOCK) + head * width
            add_scaled(FLOAT32, at, start, factor, room.read + 4 * head * width, width)
        scale(room.read + 4 * head * width, np.float32(1) / total, width)
