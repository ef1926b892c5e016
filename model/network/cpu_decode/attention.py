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
    itemsize,
    larger,
    load,
    load_some,
    multiply,
    multiply_add,
    splat,
    store,
    store_some,
)
from model.network.cpu_decode.linear import FLOAT32, add_scaled, fill, widen
from model.network.cpu_decode.tables import Float, Kind, Room, Shape

BLOCK = 96  # most tokens that are scored before their values are read: their latents stay in a near cache
TILE = 12  # tokens at once: as many sums as keep two multipliers busy and fit into sixteen registers
HEADS = 4  # read at once, in two vectors of columns each, for the same reason
SHORTEST_PIECE = 32


@compiled
def piece_floats(shape: Shape) -> int:
    """Numbers that one piece writes: maxima, sums, scores and latents of a block, and what it has read."""
    return shape.lanes * (2 + BLOCK + shape.latent) + BLOCK * (shape.latent + shape.rope)


@compiled
def attend(kind: Kind, shape: Shape, room: Room, c_kv: int, k_rope: int, piece: int, first: int, last: int) -> None:
    """Maxima, sums and sums of latents of the tokens first … last − 1, for all heads, into the piece's memory."""
    lanes = shape.lanes
    maxima = room.pieces + 4 * piece * piece_floats(shape)
    sums, scores = maxima + 4 * lanes, maxima + 8 * lanes
    read = scores + 4 * lanes * BLOCK
    widened = read + 4 * lanes * shape.latent
    fill(maxima, lanes, np.float32(-math.inf))
    fill(sums, lanes, np.float32(0))
    fill(read, lanes * shape.latent, np.float32(0))
    blocks = (last - first + BLOCK - 1) // BLOCK
    for block in range(blocks):
        start = first + (last - first) * block // blocks
        count = first + (last - first) * (block + 1) // blocks - start
        latents = _in_float32(kind, c_kv, start, count, shape.latent, widened)
        keys = _in_float32(kind, k_rope, start, count, shape.rope, widened + 4 * BLOCK * shape.latent)
        for group in range(0, lanes, LANES):
            _score_block(shape, room.queries, latents, keys, count, scores, group)
            _soften(shape, scores, maxima, sums, read, count, group)
        for t in range(0, count, TILE):
            _read_tile(shape, latents + 4 * t * shape.latent, min(TILE, count - t), scores + 4 * t * lanes, read)


@compiled
def _in_float32(kind: Kind, cache: int, first: int, count: int, width: int, widened: int) -> int:
    """Where the rows of some tokens are as float32: where they are, or widened into memory of our own."""
    if itemsize(kind) == 4:
        return cache + 4 * first * width
    widen(kind, cache, first * width, widened, count * width)
    return widened


@compiled
def _score_block(shape: Shape, queries: int, latents: int, keys: int, count: int, scores: int, group: int) -> None:
    """scores[t, head] of `count` tokens for LANES heads."""
    queries += 4 * group * (shape.latent + shape.rope)
    scores += 4 * group
    latent, rope, lanes = 4 * shape.latent, 4 * shape.rope, 4 * shape.lanes
    if count < TILE:
        for t in range(count):
            _score_one(shape, queries, latents + t * latent, keys + t * rope, scores + t * lanes)
        return
    for start in range(0, count, TILE):
        # The last tile starts early enough to be whole; what it scores again comes out the same.
        t = min(start, count - TILE)
        _score(shape, queries, latents + t * latent, keys + t * rope, scores + t * lanes)


@compiled
def _score(shape: Shape, queries: int, latents: int, keys: int, scores: int) -> None:
    """scores[t, head] = query[:, head] · (latent, rotated key) for TILE tokens and LANES heads."""
    a = b = c = d = e = f = g = h = m = n = o = p = splat(np.float32(0))
    for part in range(2):
        cache, width = (latents, shape.latent) if part == 0 else (keys, shape.rope)
        for i in range(width):
            query = load(queries, i * LANES, FLOAT32)
            a = multiply_add(splat(get(cache, i, FLOAT32)), query, a)
            b = multiply_add(splat(get(cache, width + i, FLOAT32)), query, b)
            c = multiply_add(splat(get(cache, 2 * width + i, FLOAT32)), query, c)
            d = multiply_add(splat(get(cache, 3 * width + i, FLOAT32)), query, d)
            e = multiply_add(splat(get(cache, 4 * width + i, FLOAT32)), query, e)
            f = multiply_add(splat(get(cache, 5 * width + i, FLOAT32)), query, f)
            g = multiply_add(splat(get(cache, 6 * width + i, FLOAT32)), query, g)
            h = multiply_add(splat(get(cache, 7 * width + i, FLOAT32)), query, h)
            m = multiply_add(splat(get(cache, 8 * width + i, FLOAT32)), query, m)
            n = multiply_add(splat(get(cache, 9 * width + i, FLOAT32)), query, n)
            o = multiply_add(splat(get(cache, 10 * width + i, FLOAT32)), query, o)
            p = multiply_add(splat(get(cache, 11 * width + i, FLOAT32)), query, p)
        queries += 4 * shape.latent * LANES
    lanes = shape.lanes
    store(scores, 0, a)
    store(scores, lanes, b)
    store(scores, 2 * lanes, c)
    store(scores, 3 * lanes, d)
    store(scores, 4 * lanes, e)
    store(scores, 5 * lanes, f)
    store(scores, 6 * lanes, g)
    store(scores, 7 * lanes, h)
    store(scores, 8 * lanes, m)
    store(scores, 9 * lanes, n)
    store(scores, 10 * lanes, o)
    store(scores, 11 * lanes, p)


@compiled
def _score_one(shape: Shape, queries: int, latents: int, keys: int, scores: int) -> None:
    """The same for one token."""
    a = splat(np.float32(0))
    for part in range(2):
        cache, width = (latents, shape.latent) if part == 0 else (keys, shape.rope)
        for i in range(width):
            a = multiply_add(splat(get(cache, i, FLOAT32)), load(queries, i * LANES, FLOAT32), a)
        queries += 4 * shape.latent * LANES
    store(scores, 0, a)


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
    for i in range(0, width - LANES + 1, LANES):
        store(x, i, multiply(load(x, i, FLOAT32), factors))
    rest = width % LANES
    if rest:
        store_some(x, width - rest, rest, multiply(load_some(x, width - rest, rest, FLOAT32), factors))


@compiled
def _read_tile(shape: Shape, latents: int, count: int, scores: int, read: int) -> None:
    """read[head] += Σ score[t, head] · latent[t] of a tile, for all heads: its latents stay in the nearest cache."""
    whole = shape.latent - shape.latent % (2 * LANES)
    for i in range(0, whole, 2 * LANES):
        for head in range(0, shape.heads, HEADS):
            _read(shape, latents, count, scores, read, head, i)
    for i in range(whole, shape.latent, LANES):
        for head in range(shape.heads):
            _read_rest(shape, latents, count, scores, read, head, i)


@compiled
def _read(shape: Shape, latents: int, count: int, scores: int, read: int, head: int, i: int) -> None:
    """read[head, i …] += Σ score[t, head] · latent[t, i …] for HEADS heads and two vectors of columns."""
    width, lanes = shape.latent, shape.lanes
    at = head * width + i
    a, b = load(read, at, FLOAT32), load(read, at + LANES, FLOAT32)
    c, d = load(read, at + width, FLOAT32), load(read, at + width + LANES, FLOAT32)
    e, f = load(read, at + 2 * width, FLOAT32), load(read, at + 2 * width + LANES, FLOAT32)
    g, h = load(read, at + 3 * width, FLOAT32), load(read, at + 3 * width + LANES, FLOAT32)
    for t in range(count):
        row, score = t * width + i, t * lanes + head
        one, two = load(latents, row, FLOAT32), load(latents, row + LANES, FLOAT32)
        power = splat(get(scores, score, FLOAT32))
        a, b = multiply_add(power, one, a), multiply_add(power, two, b)
        power = splat(get(scores, score + 1, FLOAT32))
        c, d = multiply_add(power, one, c), multiply_add(power, two, d)
        power = splat(get(scores, score + 2, FLOAT32))
        e, f = multiply_add(power, one, e), multiply_add(power, two, f)
        power = splat(get(scores, score + 3, FLOAT32))
        g, h = multiply_add(power, one, g), multiply_add(power, two, h)
    store(read, at, a)
    store(read, at + LANES, b)
    store(read, at + width, c)
    store(read, at + width + LANES, d)
    store(read, at + 2 * width, e)
    store(read, at + 2 * width + LANES, f)
    store(read, at + 3 * width, g)
    store(read, at + 3 * width + LANES, h)


@compiled
def _read_rest(shape: Shape, latents: int, count: int, scores: int, read: int, head: int, i: int) -> None:
    """The same for one head and at most one vector of columns."""
    rest = min(LANES, shape.latent - i)
    at = head * shape.latent + i
    a = load_some(read, at, rest, FLOAT32)
    for t in range(count):
        power = splat(get(scores, t * shape.lanes + head, FLOAT32))
        a = multiply_add(power, load_some(latents, t * shape.latent + i, rest, FLOAT32), a)
    store_some(read, at, rest, a)


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
