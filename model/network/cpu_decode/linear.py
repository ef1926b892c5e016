"""Products of one vector with matrices, each matrix read once from front to back.

One row after the other: a row is often shorter than a memory page, and the processor fetches ahead along one
stream far better than along four. Vectors and biases are float32; a bias at address 0 is none.
"""

import numpy as np

from model.network.cpu_decode.compiled import LANES, compiled
from model.network.cpu_decode.lanes import (
    add,
    divide,
    exponential,
    get,
    load,
    load_some,
    multiply,
    multiply_add,
    put,
    splat,
    store,
    store_some,
    total,
)
from model.network.cpu_decode.tables import Float, Kind, Lanes

FLOAT32 = np.float32(0)
STRIDE = 4 * LANES


@compiled
def dot(kind: Kind, weight: int, start: int, x: int, width: int) -> Float:
    """Σ weight[start + i] · x[i] over `width` elements."""
    a = b = c = d = splat(np.float32(0))
    long = width - width % STRIDE
    for i in range(0, long, STRIDE):
        a = multiply_add(load(weight, start + i, kind), load(x, i, FLOAT32), a)
        b = multiply_add(load(weight, start + i + LANES, kind), load(x, i + LANES, FLOAT32), b)
        c = multiply_add(load(weight, start + i + 2 * LANES, kind), load(x, i + 2 * LANES, FLOAT32), c)
        d = multiply_add(load(weight, start + i + 3 * LANES, kind), load(x, i + 3 * LANES, FLOAT32), d)
    for i in range(long, width, LANES):
        if i + LANES <= width:
            a = multiply_add(load(weight, start + i, kind), load(x, i, FLOAT32), a)
        else:
            b = multiply_add(load_some(weight, start + i, width - i, kind), load_some(x, i, width - i, FLOAT32), b)
    return total(add(add(a, b), add(c, d)))


@compiled
def rows(kind: Kind, weight: int, bias: int, x: int, y: int, first: int, last: int, width: int) -> None:
    """y[r] = Σ weight[r, i] · x[i] + bias[r] for rows first … last − 1."""
    for row in range(first, last):
        value = dot(kind, weight, row * width, x, width)
        put(y, row, value + get(bias, row, FLOAT32) if bias else value, FLOAT32)


@compiled
def columns(kind: Kind, weight: int, x: int, y: int, count: int, width: int) -> None:
    """y[c] = Σ x[n] · weight[n, c] over `count` rows of `width` columns."""
    fill(y, width, np.float32(0))
    for n in range(count):
        add_scaled(kind, weight, n * width, get(x, n, FLOAT32), y, width)


@compiled
def fill(y: int, width: int, value: Float) -> None:
    """y[i] = value."""
    for i in range(width):
        put(y, i, value, FLOAT32)


@compiled
def widen(kind: Kind, x: int, start: int, y: int, width: int) -> None:
    """y[i] = x[start + i] as float32."""
    for i in range(0, width - LANES + 1, LANES):
        store(y, i, load(x, start + i, kind))
    for i in range(width - width % LANES, width):
        put(y, i, get(x, start + i, kind), FLOAT32)


@compiled
def add_scaled(kind: Kind, x: int, start: int, factor: Float, y: int, width: int) -> None:
    """y[i] += factor · x[start + i]."""
    factors = splat(factor)
    for i in range(0, width - LANES + 1, LANES):
        store(y, i, multiply_add(load(x, start + i, kind), factors, load(y, i, FLOAT32)))
    rest = width % LANES
    if rest:
        i = width - rest
        there = load_some(y, i, rest, FLOAT32)
        store_some(y, i, rest, multiply_add(load_some(x, start + i, rest, kind), factors, there))


@compiled
def normalise(x: int, weight: int, y: int, width: int, epsilon: Float, factor: Float) -> None:
    """RMSNorm times `factor`: y = factor · weight · x / √(mean x² + ε). y may be x."""
    mean = dot(FLOAT32, x, 0, x, width) / np.float32(width)
    factors = splat(np.float32(factor) / np.sqrt(mean + np.float32(epsilon)))
    for i in range(0, width - LANES + 1, LANES):
        store(y, i, multiply(multiply(load(x, i, FLOAT32), load(weight, i, FLOAT32)), factors))
    rest = width % LANES
    if rest:
        i = width - rest
        product = multiply(load_some(x, i, rest, FLOAT32), load_some(weight, i, rest, FLOAT32))
        store_some(y, i, rest, multiply(product, factors))


@compiled
def _silu(x: Lanes) -> Lanes:
    return divide(x, add(splat(np.float32(1)), exponential(multiply(x, splat(np.float32(-1))))))


@compiled
def gated(
    kind: Kind, gate: int, gate_bias: int, up: int, up_bias: int, x: int, y: int, first: int, last: int, width: int
) -> None:
    """y = silu(gate x) · up x for rows first … last − 1; silu(g) = g / (1 + e^−g)."""
    rows(kind, gate, gate_bias, x, y, first, last, width)
    for start in range(first, last - LANES + 1, LANES):
        store(y, start, _silu(load(y, start, FLOAT32)))
    rest = (last - first) % LANES
    if rest:
        store_some(y, last - rest, rest, _silu(load_some(y, last - rest, rest, FLOAT32)))
    for row in range(first, last):
        value = dot(kind, up, row * width, x, width)
        put(y, row, get(y, row, FLOAT32) * (value + get(up_bias, row, FLOAT32) if up_bias else value), FLOAT32)
