"""Work shared between threads without locks: whoever is free takes the next piece of the published job.

The leading thread runs the whole step and publishes its products as jobs; helpers only ever take pieces. A helper
that comes late, or that another program has pushed off its core, costs nothing but its help. Waiting threads give
their core away after a moment, so a busy machine slows the step down by its share and no more.

One word holds job number, pieces and the next piece. A piece is taken by an atomic exchange of that word, so
nobody can take a piece of a job that is over; its description stays untouched until all its pieces are done.
"""

import platform
import sys
from typing import Any

from llvmlite import ir
from numba import types

from model.network.cpu_decode.compiled import compiled, operation
from model.network.cpu_decode.lanes import I32, I64, INTEGER

# Places in the shared memory, in int64; a cache line apart where several threads write.
WORD, DONE, STOP, SEGMENTS, FIRST = 0, 8, 16, 24, 32
PIECE_BITS = 20
PIECE_MASK = (1 << PIECE_BITS) - 1
SPINS = 2000  # some twenty microseconds

_GIVE_WAY = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


def _place(builder: Any, address: Any, index: Any) -> Any:
    return builder.inttoptr(builder.add(address, builder.shl(index, ir.Constant(I64, 3))), I64.as_pointer())


@operation(INTEGER, INTEGER, INTEGER)
def shared_get(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(address, index): read what another thread may write."""
    return builder.load_atomic(_place(builder, *values), "seq_cst", 8)


@operation(types.void, INTEGER, INTEGER, INTEGER)
def shared_put(builder: Any, values: list[Any], _kinds: Any) -> None:
    """(address, index, value): write what another thread may read, and all that was written before."""
    builder.store_atomic(values[2], _place(builder, *values[:2]), "seq_cst", 8)


@operation(INTEGER, INTEGER, INTEGER, INTEGER)
def shared_add(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(address, index, value): add in one go; what was there before."""
    return builder.atomic_rmw("add", _place(builder, *values[:2]), values[2], "seq_cst")


@operation(types.boolean, INTEGER, INTEGER, INTEGER, INTEGER)
def shared_exchange(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(address, index, old, new): write `new` if `old` is still there; whether it was."""
    place = _place(builder, *values[:2])
    return builder.extract_value(builder.cmpxchg(place, values[2], values[3], "seq_cst", "seq_cst"), 1)


@operation(types.void)
def pause(builder: Any, _values: list[Any], _kinds: Any) -> None:
    """Tell the core that this is a waiting loop."""
    if platform.machine() in ("x86_64", "AMD64"):
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), kind), [])


@operation(types.void)
def give_way(builder: Any, _values: list[Any], _kinds: Any) -> None:
    """Let another thread have this core if one wants it."""
    kind = ir.FunctionType(I32, [])
    function = builder.module.globals.get(_GIVE_WAY) or ir.Function(builder.module, kind, _GIVE_WAY)
    builder.call(function, [])


@compiled
def rest_a_little(spins: int) -> int:
    """One round of waiting; returns the rounds so far."""
    if spins < SPINS:
        pause()
    else:
        give_way()
    return spins + 1


@compiled
def publish(shared: int, pieces: int) -> None:
    """Offer a job whose description is written."""
    number = (shared_get(shared, WORD) >> (2 * PIECE_BITS)) + 1
    shared_put(shared, DONE, 0)
    shared_put(shared, WORD, (number << (2 * PIECE_BITS)) | (pieces << PIECE_BITS))


@compiled
def take(shared: int) -> int:
    """The number of a piece that is now the caller's to do, or −1 when there is none."""
    while True:
        word = shared_get(shared, WORD)
        piece = word & PIECE_MASK
        if piece >= (word >> PIECE_BITS) & PIECE_MASK:
            return -1
        if shared_exchange(shared, WORD, word, word + 1):
            return piece
