"""What one step of the model tells: preallocated arrays that a step fills. Torch-free.

A Probe is handed to the decoder as an argument. One step (a prefill chunk or one decoded token)
writes every layer's row; the recorder then reads the first `tokens` rows at once. The latents
themselves are not here: they are in the cache, and the recorder reads them there.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

Array = TypeVar("Array")


@dataclass(slots=True)
class Probe(Generic[Array]):
    """Arrays for up to `capacity` tokens of one step; `tokens` says how many rows are filled.

    query_source    [L, capacity, rq]  c_q after its norm, or the layer's normalised input, model dtype
    router_scores   [M, capacity, E]   before bias, group mask and scaling, float32
    expert_ids      [M, capacity, A]   best first, int64
    expert_weights  [M, capacity, A]   as multiplied, float32
    margins         [M, capacity]      last chosen minus first left out, in the score that decided, float32
    """

    capacity: int
    query_source: Array
    router_scores: Array
    expert_ids: Array
    expert_weights: Array
    margins: Array
    tokens: int = 0
