"""Routing of one token, as `model.network.moe.route` does it, in float32."""

import math

import numpy as np

from model.network.cpu_decode.compiled import compiled
from model.network.cpu_decode.lanes import get, put, put_integer
from model.network.cpu_decode.linear import FLOAT32
from model.network.cpu_decode.tables import Float, Shape


@compiled
def route(shape: Shape, logits: int, bias: int, spare: int, scores: int, ids: int, weights: int) -> Float:
    """Fill scores [E], ids [A], best first, and weights [A]; returns the margin. `spare` holds two rows of E."""
    choice, taken = spare, spare + 4 * shape.experts
    _score(shape, logits, scores)
    for expert in range(shape.experts):
        value = get(scores, expert, FLOAT32)
        put(choice, expert, value + get(bias, expert, FLOAT32) if bias else value, FLOAT32)
        put(taken, expert, np.float32(0), FLOAT32)
    if shape.groups > 1:
        _rule_out_groups(shape, choice, taken)
    lowest = np.float32(0)
    for place in range(shape.chosen):
        best = _best(choice, taken, 0, shape.experts)
        put(taken, best, np.float32(1), FLOAT32)
        put_integer(ids, place, best)
        put(weights, place, get(scores, best, FLOAT32), FLOAT32)
        lowest = get(choice, best, FLOAT32)
    _weigh(shape, weights)
    if shape.chosen == shape.experts:
        return np.float32(math.inf)
    return lowest - get(choice, _best(choice, taken, 0, shape.experts), FLOAT32)


@compiled
def _score(shape: Shape, logits: int, scores: int) -> None:
    if shape.sigmoid:
        for expert in range(shape.experts):
            power = np.float32(math.exp(-get(logits, expert, FLOAT32)))
            put(scores, expert, np.float32(1) / (np.float32(1) + power), FLOAT32)
        return
    highest = get(logits, 0, FLOAT32)
    for expert in range(1, shape.experts):
        highest = max(highest, get(logits, expert, FLOAT32))
    total = np.float32(0)
    for expert in range(shape.experts):
        power = np.float32(math.exp(get(logits, expert, FLOAT32) - highest))
        put(scores, expert, power, FLOAT32)
        total += power
    for expert in range(shape.experts):
        put(scores, expert, get(scores, expert, FLOAT32) / total, FLOAT32)


@compiled
def _best(choice: int, taken: int, first: int, last: int) -> int:
    """The best that is not taken, the first of equals; `first` when all are."""
    best = -1
    for expert in range(first, last):
        if get(taken, expert, FLOAT32) == 0 and (best < 0 or get(choice, expert, FLOAT32) > get(choice, best, FLOAT32)):
            best = expert
    return max(best, first)


@compiled
def _rule_out_groups(shape: Shape, choice: int, taken: int) -> None:
    """−inf for the experts of all but the best groups. A ruled out group is marked in `taken` at its first expert."""
    size = shape.experts // shape.groups
    for _ in range(shape.groups - shape.groups_chosen):
        worst, least = -1, np.float32(0)
        for first in range(0, shape.experts, size):
            value = _group_value(shape, choice, first, size)
            # Of equal groups the last one goes: ties are the lowest group's.
            if get(taken, first, FLOAT32) == 0 and (worst < 0 or value <= least):
                worst, least = first, value
        put(taken, worst, np.float32(1), FLOAT32)
    for first in range(0, shape.experts, size):
        if get(taken, first, FLOAT32) != 0:
            put(taken, first, np.float32(0), FLOAT32)
            for expert in range(first, first + size):
                put(choice, expert, np.float32(-math.inf), FLOAT32)


@compiled
def _group_value(shape: Shape, choice: int, first: int, size: int) -> Float:
    """Its best expert's score, or the sum of its two best."""
    best = second = np.float32(-math.inf)
    for expert in range(first, first + size):
        value = get(choice, expert, FLOAT32)
        if value > best:
            best, second = value, best
        elif value > second:
            second = value
    return best if shape.best_of_group == 1 else best + second


@compiled
def _weigh(shape: Shape, weights: int) -> None:
    total = np.float32(0)
    for place in range(shape.chosen):
        total += get(weights, place, FLOAT32)
    divisor = total + np.float32(1e-20) if shape.normalise else np.float32(1)
    for place in range(shape.chosen):
        share = get(weights, place, FLOAT32) / divisor
        put(weights, place, share * np.float32(shape.router_scale), FLOAT32)
