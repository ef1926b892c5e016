"""The big products of a step: done at once on one thread, or described, cut into pieces and shared.

Products that do not need each other make one job: `add` them all, then `finish`.
"""

from model.network.cpu_decode.attention import SHORTEST_PIECE, attend
from model.network.cpu_decode.compiled import compiled, entry
from model.network.cpu_decode.lanes import get_integer, itemsize, put_integer
from model.network.cpu_decode.linear import FLOAT32, columns, gated, rows
from model.network.cpu_decode.sharing import (
    DONE,
    FIRST,
    SEGMENTS,
    STOP,
    publish,
    rest_a_little,
    shared_add,
    shared_get,
    take,
)
from model.network.cpu_decode.tables import Kind, Room, Shape

# What a segment computes. Units are rows, or heads, or pieces of the context.
ROWS, GATED, ROUTER_ROWS, ABSORB, VALUES, ATTEND = range(6)
PIECE_BYTES = 64 * 1024  # of weights: some three microseconds
COLUMNS = 12
PIECES_PER_THREAD = 4  # of the context
MOST_SEGMENTS = 1024
SHARED_INTEGERS = FIRST + COLUMNS * MOST_SEGMENTS


@compiled
def perform(
    kind: Kind, shape: Shape, room: Room, what: int, a: int, b: int, c: int, d: int, x: int, y: int, width: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Units first … last − 1 of one product: a, b, c, d are addresses of weights and biases."""
    if what == ROWS:
        rows(kind, a, b, x, y, first, last, width)
    elif what == GATED:
        gated(kind, a, b, c, d, x, y, first, last, width)
    elif what == ROUTER_ROWS:
        rows(FLOAT32, a, b, x, y, first, last, width)
    elif what == ATTEND:
        # Here x is the number of pieces and width that of tokens.
        for piece in range(first, last):
            attend(kind, shape, room, a, b, piece, width * piece // x, width * (piece + 1) // x)
    else:
        stride = shape.head_stride * itemsize(kind)
        for head in range(first, last):
            weight = a + head * stride
            if what == ABSORB:
                query, latent = x + 4 * head * (shape.nope + shape.rope), y + 4 * head * shape.latent
                columns(kind, weight, query, latent, shape.nope, shape.latent)
            else:
                read, value = x + 4 * head * shape.latent, y + 4 * head * shape.value
                rows(kind, weight, 0, read, value, 0, shape.value, shape.latent)


@compiled
def add(
    kind: Kind, shape: Shape, room: Room, what: int, a: int, b: int, c: int, d: int, x: int, y: int, width: int,
    units: int, unit_bytes: int,
) -> None:  # fmt: skip
    """One product of the next job, of `units` units with so many bytes of weights each."""
    if shape.threads == 1:
        perform(kind, shape, room, what, a, b, c, d, x, y, width, 0, units)
        return
    shared = room.shared
    segments = get_integer(shared, SEGMENTS)
    at = FIRST + segments * COLUMNS
    each = max(1, PIECE_BYTES // max(1, unit_bytes))
    for column, value in enumerate((what, a, b, c, d, x, y, width, units, each, (units + each - 1) // each)):
        put_integer(shared, at + column, value)
    put_integer(shared, SEGMENTS, segments + 1)


@compiled
def finish(kind: Kind, shape: Shape, room: Room) -> None:
    """Do what has been added, together with the helpers, and wait for their last pieces."""
    shared = room.shared
    segments = get_integer(shared, SEGMENTS)
    if segments == 0:
        return
    pieces = 0
    for segment in range(segments):
        pieces += get_integer(shared, FIRST + segment * COLUMNS + 10)
    publish(shared, pieces)
    work(kind, shape, room)
    spins = 0
    while shared_get(shared, DONE) < pieces:
        spins = rest_a_little(spins)
    put_integer(shared, SEGMENTS, 0)


@compiled
def work(kind: Kind, shape: Shape, room: Room) -> bool:
    """Take pieces of the published job until none is left; whether there was one."""
    shared, found = room.shared, False
    while True:
        piece = take(shared)
        if piece < 0:
            return found
        found = True
        at = FIRST
        while piece >= get_integer(shared, at + 10):
            piece -= get_integer(shared, at + 10)
            at += COLUMNS
        first, units = piece * get_integer(shared, at + 9), get_integer(shared, at + 8)
        perform(
            kind, shape, room, get_integer(shared, at), get_integer(shared, at + 1), get_integer(shared, at + 2),
            get_integer(shared, at + 3), get_integer(shared, at + 4), get_integer(shared, at + 5),
            get_integer(shared, at + 6), get_integer(shared, at + 7), first,
            min(units, first + get_integer(shared, at + 9)),
        )  # fmt: skip
        shared_add(shared, DONE, 1)


@compiled
def pieces_of_context(shape: Shape, tokens: int) -> int:
    """How many pieces the tokens are cut into: several per thread, so that a slow one does not hold up the others."""
    return 1 if shape.threads == 1 else max(1, min(PIECES_PER_THREAD * shape.threads, tokens // SHORTEST_PIECE))


@entry
def assist(kind: Kind, shape: Shape, room: Room) -> None:
    """What a helping thread runs during one call of the leading one."""
    spins = 0
    while shared_get(room.shared, STOP) == 0:
        spins = 0 if work(kind, shape, room) else rest_a_little(spins)
