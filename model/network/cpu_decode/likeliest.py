"""The likeliest next tokens and the normaliser of all, in two passes over logits that are still in the caches."""

import math

import numpy as np
from torch import Tensor

from model.network.cpu_decode.compiled import LANES, entry
from model.network.cpu_decode.lanes import add, exponential, get, get_integer, load, put, put_integer, splat, total
from model.network.cpu_decode.linear import FLOAT32


@entry
def likeliest(logits: int, count: int, ids: int, values: int, most: int) -> float:
    """Fill ids int64 [most] and values float32 [most] with the greatest logits, best first, earlier first among equals.

    Returns ln Σ exp(logit) over all of them; NaN when one is NaN or +∞. Below −∞ there is nothing: ids stay −1.
    """
    least = np.float32(-np.inf)
    for place in range(most):
        put(values, place, least, FLOAT32)
        put_integer(ids, place, -1)
    for token in range(count):
        logit = get(logits, token, FLOAT32)
        if not logit <= least:  # greater, or NaN
            if math.isnan(logit):
                return math.nan
            place = most - 1
            while place > 0 and get(values, place - 1, FLOAT32) < logit:
                put(values, place, get(values, place - 1, FLOAT32), FLOAT32)
                put_integer(ids, place, get_integer(ids, place - 1))
                place -= 1
            put(values, place, logit, FLOAT32)
            put_integer(ids, place, token)
            least = get(values, most - 1, FLOAT32)
    highest = get(values, 0, FLOAT32)
    if math.isinf(highest):
        return math.nan
    whole = count - count % LANES
    powers, lower = splat(np.float32(0)), splat(-highest)
    for start in range(0, whole, LANES):
        powers = add(powers, exponential(add(load(logits, start, FLOAT32), lower)))
    power = total(powers)
    for token in range(whole, count):
        power += np.float32(math.exp(get(logits, token, FLOAT32) - highest))
    return float(highest) + math.log(power)


class Likeliest:
    """The `most` likeliest tokens of one row of logits after another, without making arrays for each."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._ids, self._values = np.empty(most, np.int64), np.empty(most, np.float32)
        self._addresses = self._ids.ctypes.data, self._values.ctypes.data

    def __call__(self, logits_V: Tensor) -> tuple[list[int], list[float]]:
        """Tokens of the greatest logits, float32 [V] in one piece, best first, and their log-probabilities."""
        of_all = likeliest(logits_V.data_ptr(), logits_V.numel(), *self._addresses, self.most)
        return self._ids.tolist(), [value - of_all for value in self._values.tolist()]
