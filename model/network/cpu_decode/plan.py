"""A decoder as the kernels see it: sizes, a table of addresses, working memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import LATENT_NORM_EPS, RouterConfig
from model.network.cpu_decode import tables as at
from model.network.cpu_decode.attention import piece_floats
from model.network.cpu_decode.compiled import LANES
from model.network.cpu_decode.jobs import PIECES_PER_THREAD, SHARED_INTEGERS
from model.network.cpu_decode.tables import Kind, Room, Shape, record
from model.network.decoder import Decoder
from model.network.weights import AttentionWeights, FeedForward, LayerWeights, Linear

KINDS: dict[torch.dtype, Kind] = {torch.float32: np.float32(0), torch.bfloat16: np.uint16(0)}
LINE = 16  # float32 of a line of the processor's caches
NO_ROUTER = RouterConfig("greedy", "softmax", 0, 0)


class NotCoveredError(Exception):
    """This decoder's weights are not where or as the kernels need them."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What all calls for one decoder share. `kept` holds every tensor whose address is in a table."""

    kind: Kind
    threads: int
    shape: Any  # a record of Shape
    room: Any  # a record of Room
    ends: NDArray[np.int64]
    layers: NDArray[np.int64]
    experts: NDArray[np.int64]
    shared: NDArray[np.int64]
    state: NDArray[np.int64]
    kept: list[object]


class Addresses:
    """Addresses of tensors, which it keeps alive."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.kept: list[object] = []
        self._dtype = dtype

    def weight(self, tensor: Tensor) -> int:
        """Where a matrix is. Raises NotCoveredError unless it is of the model's dtype with its rows back to back."""
        if tensor.dtype != self._dtype or tensor.device.type != "cpu" or not tensor.is_contiguous():
            raise NotCoveredError
        self.kept.append(tensor)
        return tensor.data_ptr()

    def per_head(self, tensor: Tensor, stride: int) -> int:
        """Where the first of several matrices is that are `stride` elements apart."""
        if tensor.stride() != (stride, tensor.shape[2], 1) or tensor.dtype != self._dtype:
            raise NotCoveredError
        self.kept.append(tensor)
        return tensor.data_ptr()

    def vector(self, tensor: Tensor | None) -> int:
        """Where a float32 copy of a norm or bias is; 0 without one."""
        if tensor is None:
            return 0
        copy = tensor.to(torch.float32).contiguous()
        self.kept.append(copy)
        return copy.data_ptr()

    def linear(self, linear: Linear | None) -> list[int]:
        """A matrix and its bias."""
        return [0, 0] if linear is None else [self.weight(linear.weight), self.vector(linear.bias)]

    def feed_forward(self, one: FeedForward | None) -> list[int]:
        """The six columns of a feed-forward."""
        parts = (None, None, None) if one is None else one
        return [address for part in parts for address in self.linear(part)]


def make_plan(decoder: Decoder, threads: int) -> Plan:
    """Raises NotCoveredError for what the kernels cannot do; then torch must."""
    kind = KINDS.get(decoder.dtype)
    if kind is None or decoder.device.type != "cpu":
        raise NotCoveredError
    weights, config = decoder.weights, decoder.config
    addresses = Addresses(decoder.dtype)
    shape = _shape(decoder, threads)
    moe_index = {layer: index for index, layer in enumerate(config.moe_layers)}
    rows = [_layer(addresses, one, shape, moe_index.get(layer, 0)) for layer, one in enumerate(weights.layers)]
    layers = np.array(rows, dtype=np.int64)
    shared = np.zeros(SHARED_INTEGERS, dtype=np.int64)
    room = _room(addresses, shape, shared, inner=int((layers[:, at.DENSE_WIDTH] + layers[:, at.SHARED_WIDTH]).max()))
    ends = [addresses.weight(weights.embedding_VD), addresses.vector(weights.norm), *addresses.linear(weights.head)]
    experts = np.zeros((1, max(1, shape.chosen), 6), dtype=np.int64)
    if not shape.paged and moe_index:
        experts = np.array(list(_experts(addresses, weights.layers)), dtype=np.int64)
    state = np.zeros(2, dtype=np.int64)
    addresses.kept.append(shared)
    return Plan(
        kind,
        threads,
        record(shape),
        record(room),
        np.array(ends, dtype=np.int64),
        layers,
        experts,
        shared,
        state,
        addresses.kept,
    )


def _experts(addresses: Addresses, layers: Sequence[LayerWeights]) -> Iterator[list[list[int]]]:
    for layer in layers:
        if layer.moe is not None:
            experts = layer.moe.experts
            yield [addresses.feed_forward(experts[expert]) for expert in range(len(experts))]


def _shape(decoder: Decoder, threads: int) -> Shape:
    config, router = decoder.config, decoder.config.router or NO_ROUTER
    blocks = [layer.moe for layer in decoder.weights.layers if layer.moe is not None]
    attention = _latent(decoder.weights.layers[0])
    grouped = router.method != "greedy" and router.groups > 1
    return Shape(
        threads=threads,
        layers=config.layers,
        hidden=config.hidden_size,
        heads=config.heads,
        lanes=-(-config.heads // LANES) * LANES,
        q_lora=config.q_lora_rank or 0,
        latent=config.kv_lora_rank,
        nope=config.qk_nope_head_dim,
        rope=config.qk_rope_head_dim,
        value=config.v_head_dim,
        head_stride=attention.w_uk_HNC.stride(0),
        interleaved=config.rope.interleaved,
        vocabulary=config.vocab_size,
        experts=router.experts,
        stored_experts=router.stored_experts,
        chosen=router.experts_per_token,
        expert_width=config.moe_intermediate_size if blocks else 0,
        groups=router.groups if grouped else 1,
        groups_chosen=router.groups_per_token if grouped else 1,
        best_of_group=1 if router.method == "group_limited_greedy" else 2,
        sigmoid=router.scoring == "sigmoid",
        normalise=router.normalise,
        paged=any(not isinstance(block.experts, tuple) for block in blocks),
        shortcut=config.shortcut_moe,
        scale=float(decoder.scale),
        epsilon=float(config.rms_norm_eps),
        latent_epsilon=float(LATENT_NORM_EPS),
        c_kv_scale=float(config.c_kv_scale),
        embedding_scale=float(config.embedding_scale),
        residual_scale=float(config.residual_scale),
        logit_scale=float(config.logit_scale),
        router_scale=float(router.scaling_factor),
    )


def _layer(addresses: Addresses, layer: LayerWeights, shape: Shape, moe_index: int) -> list[int]:
    attention, moe = _latent(layer), layer.moe
    gate = None if moe is None else moe.gate_ED.to(torch.float32).contiguous()
    addresses.kept.append(gate)
    row = [0] * at.LAYER_COLUMNS
    row[at.ATTENTION_NORM] = addresses.vector(layer.attention_norm)
    row[at.Q_A : at.Q_A + 2] = addresses.linear(attention.q_a)
    row[at.Q_A_NORM] = addresses.vector(attention.q_a_norm)
    row[at.Q : at.Q + 2] = addresses.linear(attention.q)
    row[at.KV_A : at.KV_A + 2] = addresses.linear(attention.kv_a)
    row[at.KV_A_NORM] = addresses.vector(attention.kv_a_norm)
    row[at.W_UK] = addresses.per_head(attention.w_uk_HNC, shape.head_stride)
    row[at.W_UV] = addresses.per_head(attention.w_uv_HVC, shape.head_stride)
    row[at.OUT : at.OUT + 2] = addresses.linear(attention.o)
    row[at.MLP_NORM] = addresses.vector(layer.mlp_norm)
    row[at.MOE_NORM] = addresses.vector(layer.moe_norm)
    row[at.MOE_INDEX] = moe_index
    shared = None if moe is None else moe.shared
    if moe is not None and gate is not None:
        row[at.ROUTER], row[at.ROUTER_BIAS] = gate.data_ptr(), addresses.vector(moe.bias_E)
    row[at.DENSE_WIDTH] = _width(layer.dense)
    row[at.SHARED_WIDTH] = _width(shared)
    row[at.DENSE : at.DENSE + 6] = addresses.feed_forward(layer.dense)
    row[at.SHARED : at.SHARED + 6] = addresses.feed_forward(shared)
    return row


def _latent(layer: LayerWeights) -> AttentionWeights:
    """The kernels read latents."""
    if not isinstance(layer.attention, AttentionWeights):
        raise NotCoveredError
    return layer.attention


def _width(one: FeedForward | None) -> int:
    return 0 if one is None else len(one.gate.weight)


def _room(addresses: Addresses, shape: Shape, shared: NDArray[np.int64], *, inner: int) -> Room:
    pieces = 1 if shape.threads == 1 else PIECES_PER_THREAD * shape.threads
    sizes = {
        "x": shape.hidden,
        "normed": shape.hidden,
        "q_a": shape.q_lora,
        "q": shape.heads * (shape.nope + shape.rope),
        "kv_a": shape.latent + shape.rope,
        "latent_queries": shape.heads * shape.latent,
        "queries": (shape.latent + shape.rope) * shape.lanes,
        "pieces": pieces * piece_floats(shape),
        "read": shape.heads * shape.latent,
        "attended": shape.heads * shape.value,
        "hidden": shape.chosen * shape.expert_width + inner,
        "answers": (shape.chosen + 2) * shape.hidden,
        "mixed": shape.hidden,
        "late": shape.hidden,
        "router": 3 * shape.experts,
    }
    padded = [-(-size // LINE) * LINE for size in sizes.values()]
    memory = np.zeros(sum(padded) + LINE, dtype=np.float32)
    addresses.kept.append(memory)
    first = -(-memory.ctypes.data // (4 * LINE)) * 4 * LINE
    starts = [first + 4 * sum(padded[:index]) for index in range(len(padded))]
    return Room(**dict(zip(sizes, starts, strict=True)), shared=shared.ctypes.data)
