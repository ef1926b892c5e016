"""Routed experts that are not all in memory: the file's own pages, or a bounded cache of expanded ones.

All layers share one Traffic and one Slots. Made for one compute thread; nothing here may be called from two.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from model.checkpoint.residency import bring_in
from model.checkpoint.stored import Stored
from model.network.weights import Experts, FeedForward, Linear, Weights


class StoredExpert(NamedTuple):
    """The three matrices of one routed expert, as their files hold them."""

    gate: Stored
    up: Stored
    down: Stored


class Counts(NamedTuple):
    """Experts that were at hand when asked for, that were brought in, and the bytes read for those.

    The bytes are those of missing pages of a mapped expert, of the stored form of an expanded one, and those
    moved to the device of one that runs elsewhere. What the disk really delivered may be less (pages that the
    system still had) or more (read ahead); it is not counted here.
    """

    hits: int
    misses: int
    bytes_read: int


NOTHING = Counts(0, 0, 0)


class Traffic:
    """Counts since they were last taken."""

    def __init__(self) -> None:
        self._counts = NOTHING

    def count(self, *, missed: bool, bytes_read: int) -> None:
        """One expert was asked for."""
        hits, misses, total = self._counts
        self._counts = Counts(hits + (not missed), misses + missed, total + bytes_read)

    def take(self) -> Counts:
        """The counts since the last call."""
        counts, self._counts = self._counts, NOTHING
        return counts


class MappedExperts:
    """One layer's experts in the files' own pages: the kernel brings them in and lets them go, nothing is copied."""

    def __init__(self, experts: Sequence[StoredExpert], dtype: torch.dtype, traffic: Traffic) -> None:
        self._experts = experts
        self._dtype = dtype
        self._bound: dict[int, FeedForward] = {}
        self.traffic = traffic

    def __len__(self) -> int:
        return len(self._experts)

    def __getitem__(self, expert: int, /) -> FeedForward:
        """Valid for ever; its missing pages are on their way. Raises Problem when the file has changed."""
        bound = self._bound.get(expert)
        if bound is None:
            bound = FeedForward(*(Linear(stored.values(self._dtype)) for stored in self._experts[expert]))
            self._bound[expert] = bound
        missing = sum(bring_in(linear.weight) for linear in bound)
        self.traffic.count(missed=missing > 0, bytes_read=missing)
        return bound


class Slots:
    """Room for a number of experts of one shape, the least recently used out first. Memory is taken when first needed.

    With `pinned` a copy to a CUDA device reads it directly.
    """

    def __init__(
        self, count: int, *, width: int, hidden: int, dtype: torch.dtype, device: torch.device, pinned: bool = False
    ) -> None:
        self.count = count
        self._shape = width, hidden
        self._dtype, self._device, self._pinned = dtype, device, pinned
        self._held: OrderedDict[tuple[int, int], FeedForward] = OrderedDict()
        self._free: list[FeedForward] = []
        self._made = 0

    @property
    def held_bytes(self) -> int:
        """Memory taken so far."""
        width, hidden = self._shape
        return self._made * 3 * width * hidden * self._dtype.itemsize

    def find(self, layer: int, expert: int) -> FeedForward | None:
        """An expert that is held; from now on the most recently used."""
        found = self._held.get((layer, expert))
        if found is not None:
            self._held.move_to_end((layer, expert))
        return found

    def put(self, layer: int, expert: int, fill: Callable[[FeedForward], None]) -> FeedForward:
        """Bring an expert in, in place of the least recently used if there is no room. `fill` writes its matrices."""
        slot = self._room()
        try:
            fill(slot)
        except BaseException:
            self._free.append(slot)
            raise
        self._held[layer, expert] = slot
        return slot

    def _room(self) -> FeedForward:
        if self._free:
            return self._free.pop()
        if self._made < self.count:
            self._made += 1
            return self._new()
        return self._held.popitem(last=False)[1]

    def _new(self) -> FeedForward:
        width, hidden = self._shape
        with torch.inference_mode(False):  # else nobody could write to it outside of inference
            whole = torch.empty(
                3 * width * hidden, dtype=self._dtype, device=self._device, pin_memory=self._pinned, requires_grad=False
            )
        gate, up, down = whole.chunk(3)
        return FeedForward(
            Linear(gate.view(width, hidden)), Linear(up.view(width, hidden)), Linear(down.view(hidden, width))
        )


class CachedExperts:
    """One layer's experts through Slots. `fetch` writes an expert into a slot and returns the bytes it read."""

    def __init__(
        self,
        layer: int,
        count: int,
        slots: Slots,
        fetch: Callable[[int, FeedForward], int],
        traffic: Traffic,
    ) -> None:
        self._layer = layer
        self._count = count
        self._slots = slots
        self._fetch = fetch
        self.traffic = traffic

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, expert: int, /) -> FeedForward:
        """Valid until as many others were asked for as the slots have room for. Raises Problem."""
        found = self._slots.find(self._layer, expert)
        if found is not None:
            self.traffic.count(missed=False, bytes_read=0)
            return found
        read = 0

        def fill(slot: FeedForward) -> None:
            nonlocal read
            read = self._fetch(expert, slot)

        found = self._slots.put(self._layer, expert, fill)
        self.traffic.count(missed=True, bytes_read=read)
        return found


def expanded(layer: int, experts: Sequence[StoredExpert], slots: Slots, traffic: Traffic) -> CachedExperts:
    """Experts expanded from their stored form into slots in CPU memory."""

    def fetch(expert: int, slot: FeedForward) -> int:
        for linear, stored in zip(slot, experts[expert], strict=True):
            stored.fill(linear.weight)
        return sum(stored.stored_bytes for stored in experts[expert])

    return CachedExperts(layer, len(experts), slots, fetch, traffic)


def streamed(layer: int, host: Experts, slots: Slots, traffic: Traffic) -> CachedExperts:
    """Experts moved from those in host memory into slots on a device.

    The copy is over when it returns, so the host's slot is free again; work of the device on the slot's former
    expert is on the same stream and done before.
    """

    def fetch(expert: int, slot: FeedForward) -> int:
        for to, source in zip(slot, host[expert], strict=True):
            to.weight.copy_(source.weight)
        return sum(_bytes(linear.weight) for linear in slot)

    return CachedExperts(layer, len(host), slots, fetch, traffic)


def traffic_of(weights: Weights) -> Traffic | None:
    """What counts the experts of these weights; None where every expert is always at hand."""
    for layer in weights.layers:
        if layer.moe is not None and isinstance(layer.moe.experts, MappedExperts | CachedExperts):
            return layer.moe.experts.traffic
    return None


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
