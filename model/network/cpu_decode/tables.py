"""What the kernels are told: sizes, addresses of weights, addresses of working memory, what one call brings."""

from typing import Any, NamedTuple

import numpy as np

# What stands for the dtype of weights, cache and query source in the kernels: any float32, or any uint16 for bfloat16.
Kind = np.float32 | np.uint16
Float = np.float32 | float  # float32 in the kernels
Lanes = Any  # a vector register of float32


class Shape(NamedTuple):
    """The model's numbers, as plain ints and floats; `config` says what they mean."""

    threads: int
    layers: int
    hidden: int
    heads: int
    lanes: int  # heads, rounded up to whole lanes
    q_lora: int  # 0 without one
    latent: int
    nope: int
    rope: int
    value: int
    head_stride: int  # elements from one head to the next in W_UK and W_UV
    interleaved: bool
    vocabulary: int
    experts: int
    stored_experts: int
    chosen: int
    expert_width: int
    groups: int
    groups_chosen: int
    best_of_group: int  # how many of its best experts a group counts by
    sigmoid: bool
    normalise: bool
    paged: bool
    shortcut: bool
    scale: float
    epsilon: float
    latent_epsilon: float
    c_kv_scale: float
    embedding_scale: float
    residual_scale: float
    logit_scale: float
    router_scale: float


class Room(NamedTuple):
    """Addresses of working memory, all float32 but `shared`, which is int64."""

    x: int  # the residual
    normed: int
    q_a: int
    q: int
    kv_a: int
    latent_queries: int  # [H, C]
    queries: int  # [lanes / LANES, C + R, LANES], scaled: what is multiplied with the cache's rows
    pieces: int  # per piece: what `attention.piece_floats` says
    read: int  # [H, C]
    attended: int  # [H, V]
    hidden: int  # widest inner activation of all feed-forwards of a layer, side by side
    answers: int  # [chosen + 2, D]
    mixed: int
    late: int
    router: int  # three rows of E
    shared: int


class Call(NamedTuple):
    """One token: where it stands and where its results go. The weights' dtype holds for cache and query source."""

    token: int
    c_kv: int
    k_rope: int
    position: int
    capacity: int
    rotation: int
    temperature: float
    logits: int
    probe_rows: int  # rows from one layer of the probe to the next
    query_source: int
    router_scores: int
    expert_ids: int
    expert_weights: int
    margins: int


_DTYPES = {kind: np.dtype(list(kind.__annotations__.items())) for kind in (Shape, Room, Call)}


def record(numbers: Shape | Room | Call) -> Any:
    """The same numbers as one block of memory: kernels get its address, and read fields by the same names."""
    return np.array([numbers], dtype=_DTYPES[type(numbers)])[0]


def blank(kind: type[Shape] | type[Room] | type[Call]) -> Any:
    """A record of zeros."""
    return np.zeros(1, dtype=_DTYPES[kind])[0]


# Columns of the table of layers: addresses, and the widths of the dense and the shared MLP. 0: not there.
ATTENTION_NORM, Q_A, Q_A_BIAS, Q_A_NORM, Q, Q_BIAS, KV_A, KV_A_BIAS, KV_A_NORM = range(9)
W_UK, W_UV, OUT, OUT_BIAS, MLP_NORM, MOE_NORM, ROUTER, ROUTER_BIAS, MOE_INDEX = range(9, 18)
DENSE_WIDTH, SHARED_WIDTH = 18, 19
DENSE, SHARED = 20, 26  # six columns each
LAYER_COLUMNS = 32

# The six columns of one feed-forward, also of the tables of experts and of the model's ends.
GATE, GATE_BIAS, UP, UP_BIAS, DOWN, DOWN_BIAS = range(6)
EMBEDDING, NORM, HEAD, HEAD_BIAS = range(4)

# What a call leaves for the next one, when experts must be brought in between.
STATE_LAYER, STATE_ROUTED = range(2)
FINISHED = -1
