"""One token's step through all layers, in one call: the mathematics of `model.network.decoder` for T = 1."""

import numpy as np

from model.network.cpu_decode.attention import merge
from model.network.cpu_decode.compiled import LANES, compiled, entry
from model.network.cpu_decode.jobs import (
    ABSORB,
    ATTEND,
    GATED,
    PIECE_BYTES,
    ROUTER_ROWS,
    ROWS,
    VALUES,
    add,
    finish,
    pieces_of_context,
)
from model.network.cpu_decode.lanes import get, get_integer, itemsize, put
from model.network.cpu_decode.linear import FLOAT32, add_scaled, fill, normalise
from model.network.cpu_decode.routing import route
from model.network.cpu_decode.sharing import STOP, shared_put
from model.network.cpu_decode.tables import (
    ATTENTION_NORM,
    DENSE,
    DENSE_WIDTH,
    DOWN,
    EMBEDDING,
    FINISHED,
    GATE,
    GATE_BIAS,
    HEAD,
    KV_A,
    KV_A_NORM,
    MLP_NORM,
    MOE_INDEX,
    MOE_NORM,
    NORM,
    OUT,
    Q_A,
    Q_A_NORM,
    ROUTER,
    ROUTER_BIAS,
    SHARED,
    SHARED_WIDTH,
    STATE_LAYER,
    STATE_ROUTED,
    UP,
    UP_BIAS,
    W_UK,
    W_UV,
    Call,
    Kind,
    Q,
    Room,
    Shape,
)

Table = np.ndarray


@entry
def advance(
    kind: Kind, shape: Shape, room: Room, call: Call, ends: Table, layers: Table, experts: Table, state: Table
) -> int:
    """Go on until the logits are there (FINISHED), or a layer's chosen experts are wanted: that layer's number.

    `experts` is [M, stored, 6] when all are resident, else [1, chosen, 6], best first, filled by the caller.
    """
    layer, routed = state[STATE_LAYER], state[STATE_ROUTED]
    if layer == 0 and routed == 0:
        _embed(kind, shape, room, call, ends)
    while layer < shape.layers:
        weights = layers[layer]
        if routed == 0:
            _attention(kind, shape, room, call, weights, layer)
            _route(kind, shape, room, call, weights)
            if shape.paged and weights[ROUTER] != 0:
                state[STATE_LAYER], state[STATE_ROUTED] = layer, 1
                shared_put(room.shared, STOP, 1)
                return layer
        _feed_forward(kind, shape, room, call, weights, experts)
        routed = 0
        layer += 1
    _head(kind, shape, room, call, ends)
    shared_put(room.shared, STOP, 1)
    return FINISHED


@compiled
def _embed(kind: Kind, shape: Shape, room: Room, call: Call, ends: Table) -> None:
    fill(room.x, shape.hidden, np.float32(0))
    fill(room.late, shape.hidden, np.float32(0))
    scale = np.float32(shape.embedding_scale)
    add_scaled(kind, ends[EMBEDDING], call.token * shape.hidden, scale, room.x, shape.hidden)


@compiled
def _linear(
    kind: Kind, shape: Shape, room: Room, weights: Table, column: int, x: int, y: int, width: int, units: int
) -> None:
    """A matrix and, in the next column, its bias."""
    unit_bytes = width * itemsize(kind)
    add(kind, shape, room, ROWS, weights[column], weights[column + 1], 0, 0, x, y, width, units, unit_bytes)


@compiled
def _attention(kind: Kind, shape: Shape, room: Room, call: Call, weights: Table, layer: int) -> None:
    """x += attention(norm(x)); the token's latents go into the cache and its query source into the probe."""
    hidden, heads = shape.hidden, shape.heads
    normalise(room.x, weights[ATTENTION_NORM], room.normed, hidden, shape.epsilon, 1.0)
    _linear(kind, shape, room, weights, KV_A, room.normed, room.kv_a, hidden, shape.latent + shape.rope)
    source, width = room.normed, hidden
    if shape.q_lora:
        source, width = room.q_a, shape.q_lora
        _linear(kind, shape, room, weights, Q_A, room.normed, room.q_a, hidden, shape.q_lora)
        finish(kind, shape, room)
        normalise(room.q_a, weights[Q_A_NORM], room.q_a, shape.q_lora, shape.latent_epsilon, 1.0)
    _linear(kind, shape, room, weights, Q, source, room.q, width, heads * (shape.nope + shape.rope))
    finish(kind, shape, room)
    for i in range(width):
        put(call.query_source, layer * call.probe_rows * width + i, get(source, i, FLOAT32), kind)
    c_kv, k_rope = _cache(kind, shape, room, call, weights, layer)
    size = shape.latent * itemsize(kind)
    add(kind, shape, room, ABSORB, weights[W_UK], 0, 0, 0, room.q, room.latent_queries, 0, heads, shape.nope * size)
    finish(kind, shape, room)
    _queries(shape, room, call)
    tokens = call.position + 1
    pieces = pieces_of_context(shape, tokens)
    add(kind, shape, room, ATTEND, c_kv, k_rope, 0, 0, pieces, 0, tokens, pieces, PIECE_BYTES)
    finish(kind, shape, room)
    merge(shape, room, pieces)
    add(kind, shape, room, VALUES, weights[W_UV], 0, 0, 0, room.read, room.attended, 0, heads, shape.value * size)
    finish(kind, shape, room)
    _linear(kind, shape, room, weights, OUT, room.attended, room.normed, heads * shape.value, hidden)
    finish(kind, shape, room)
    add_scaled(FLOAT32, room.normed, 0, np.float32(shape.residual_scale), room.x, hidden)


@compiled
def _cache(kind: Kind, shape: Shape, room: Room, call: Call, weights: Table, layer: int) -> tuple[int, int]:
    """Write c_kv behind its norm and the rotated k_rope; the addresses of the layer's rows."""
    latent, rope = shape.latent, shape.rope
    c_kv = call.c_kv + layer * call.capacity * latent * itemsize(kind)
    k_rope = call.k_rope + layer * call.capacity * rope * itemsize(kind)
    normalise(room.kv_a, weights[KV_A_NORM], room.kv_a, latent, shape.latent_epsilon, shape.c_kv_scale)
    for i in range(latent):
        put(c_kv, call.position * latent + i, get(room.kv_a, i, FLOAT32), kind)
    key = room.kv_a + 4 * latent
    _rotate(shape, call, key)
    for i in range(rope):
        put(k_rope, call.position * rope + i, get(key, i, FLOAT32), kind)
    return c_kv, k_rope


@compiled
def _rotate(shape: Shape, call: Call, x: int) -> None:
    """Turn each pair by this position's angle: neighbours, or one from each half."""
    half = shape.rope // 2
    for pair in range(half):
        first, second = (2 * pair, 2 * pair + 1) if shape.interleaved else (pair, pair + half)
        a, b = get(x, first, FLOAT32), get(x, second, FLOAT32)
        cosine, sine = get(call.rotation, 2 * pair, FLOAT32), get(call.rotation, 2 * pair + 1, FLOAT32)
        put(x, first, a * cosine - b * sine, FLOAT32)
        put(x, second, a * sine + b * cosine, FLOAT32)


@compiled
def _queries(shape: Shape, room: Room, call: Call) -> None:
    """What is multiplied with the cache's rows: one lane per head, scaled for the softmax."""
    factor = np.float32(shape.scale * call.temperature)
    rows = shape.latent + shape.rope
    for head in range(shape.heads):
        at = head // LANES * LANES * rows + head % LANES
        for i in range(shape.latent):
            value = get(room.latent_queries, head * shape.latent + i, FLOAT32)
            put(room.queries, at + i * LANES, value * factor, FLOAT32)
        rotated = room.q + 4 * (head * (shape.nope + shape.rope) + shape.nope)
        _rotate(shape, call, rotated)
        for i in range(shape.rope):
            put(room.queries, at + (shape.latent + i) * LANES, get(rotated, i, FLOAT32) * factor, FLOAT32)


@compiled
def _gated(kind: Kind, shape: Shape, room: Room, weights: Table, first: int, y: int, width: int) -> None:
    """The inner half of the feed-forward in columns `first` and on."""
    add(
        kind, shape, room, GATED, weights[first + GATE], weights[first + GATE_BIAS], weights[first + UP],
        weights[first + UP_BIAS], room.normed, y, shape.hidden, width, 2 * shape.hidden * itemsize(kind),
    )  # fmt: skip


@compiled
def _route(kind: Kind, shape: Shape, room: Room, call: Call, weights: Table) -> None:
    """The feed-forward's norm, everything that does not wait for the choice of experts, and the choice."""
    normalise(room.x, weights[MLP_NORM], room.normed, shape.hidden, shape.epsilon, 1.0)
    inner = room.hidden + 4 * shape.chosen * shape.expert_width
    if weights[SHARED_WIDTH]:
        _gated(kind, shape, room, weights, SHARED, inner, weights[SHARED_WIDTH])
    if weights[DENSE_WIDTH]:
        _gated(kind, shape, room, weights, DENSE, inner + 4 * weights[SHARED_WIDTH], weights[DENSE_WIDTH])
    if weights[ROUTER]:
        add(
            kind, shape, room, ROUTER_ROWS, weights[ROUTER], 0, 0, 0, room.normed, room.router, shape.hidden,
            shape.experts, 4 * shape.hidden,
        )  # fmt: skip
    finish(kind, shape, room)
    if weights[ROUTER]:
        row = weights[MOE_INDEX] * call.probe_rows
        scores = call.router_scores + 4 * row * shape.experts
        ids, shares = call.expert_ids + 8 * row * shape.chosen, call.expert_weights + 4 * row * shape.chosen
        spare = room.router + 4 * shape.experts
        put(call.margins, row, route(shape, room.router, weights[ROUTER_BIAS], spare, scores, ids, shares), FLOAT32)


@compiled
def _feed_forward(kind: Kind, shape: Shape, room: Room, call: Call, weights: Table, experts: Table) -> None:
    """x += what experts and MLP answer. A shortcut's experts answer at the end of the next layer."""
    hidden, width = shape.hidden, shape.expert_width
    inner = room.hidden + 4 * shape.chosen * width
    shared, dense = room.answers + 4 * shape.chosen * hidden, room.answers + 4 * (shape.chosen + 1) * hidden
    row = weights[MOE_INDEX] * call.probe_rows * shape.chosen
    if weights[ROUTER]:
        for place in range(shape.chosen):
            expert = get_integer(call.expert_ids, row + place)
            if expert < shape.stored_experts:
                one = experts[0, place] if shape.paged else experts[weights[MOE_INDEX], expert]
                _gated(kind, shape, room, one, 0, room.hidden + 4 * place * width, width)
        finish(kind, shape, room)
        for place in range(shape.chosen):
            expert = get_integer(call.expert_ids, row + place)
            if expert < shape.stored_experts:
                one = experts[0, place] if shape.paged else experts[weights[MOE_INDEX], expert]
                answer = room.answers + 4 * place * hidden
                _linear(kind, shape, room, one, DOWN, room.hidden + 4 * place * width, answer, width, hidden)
    if weights[SHARED_WIDTH]:
        _linear(kind, shape, room, weights, SHARED + DOWN, inner, shared, weights[SHARED_WIDTH], hidden)
    if weights[DENSE_WIDTH]:
        inner += 4 * weights[SHARED_WIDTH]
        _linear(kind, shape, room, weights, DENSE + DOWN, inner, dense, weights[DENSE_WIDTH], hidden)
    finish(kind, shape, room)
    residual = np.float32(shape.residual_scale)
    if weights[DENSE_WIDTH]:
        add_scaled(FLOAT32, dense, 0, residual, room.x, hidden)
    if weights[ROUTER]:
        _mix(shape, room, call, weights, row)
    if shape.shortcut:
        add_scaled(FLOAT32, room.late, 0, residual, room.x, hidden)
        fill(room.late, hidden, np.float32(0))
        if weights[ROUTER]:
            add_scaled(FLOAT32, room.mixed, 0, np.float32(1), room.late, hidden)
    elif weights[ROUTER]:
        add_scaled(FLOAT32, room.mixed, 0, residual, room.x, hidden)


@compiled
def _mix(shape: Shape, room: Room, call: Call, weights: Table, row: int) -> None:
    """The weighted sum of the experts' answers and the shared experts'. A zero expert answers with its input."""
    hidden = shape.hidden
    fill(room.mixed, hidden, np.float32(0))
    if weights[SHARED_WIDTH]:
        add_scaled(FLOAT32, room.answers, shape.chosen * hidden, np.float32(1), room.mixed, hidden)
    for place in range(shape.chosen):
        share = get(call.expert_weights, row + place, FLOAT32)
        stored = get_integer(call.expert_ids, row + place) < shape.stored_experts
        answer = room.answers + 4 * place * hidden if stored else room.normed
        add_scaled(FLOAT32, answer, 0, share, room.mixed, hidden)
    if weights[MOE_NORM]:
        normalise(room.mixed, weights[MOE_NORM], room.mixed, hidden, shape.epsilon, 1.0)


@compiled
def _head(kind: Kind, shape: Shape, room: Room, call: Call, ends: Table) -> None:
    normalise(room.x, ends[NORM], room.normed, shape.hidden, shape.epsilon, shape.logit_scale)
    _linear(kind, shape, room, ends, HEAD, room.normed, call.logits, shape.hidden, shape.vocabulary)
    finish(kind, shape, room)
