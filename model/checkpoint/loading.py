"""From a described checkpoint to a Decoder: weights in the files' pages where they can be, copied where they must.

Routed experts of a model that does not fit stay where they are until a token chooses them (`paging`).
"""

import time
from collections.abc import Generator, Iterator
from typing import Literal

import torch
from torch import Tensor

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.paging import MappedExperts, Slots, StoredExpert, Traffic, expanded, streamed
from model.checkpoint.plan import TORCH_DTYPES, Plan, expert_names, is_mapped, make_plan, run_dtype
from model.checkpoint.stored import Stored
from model.config import DtypeName
from model.network.decoder import Decoder
from model.network.weights import Experts, bind

DtypeChoice = DtypeName | Literal["auto"]
_PIECE = 2**21  # elements converted at once: a few milliseconds, some 20 for the slowest format
_ROWS = 256  # a multiple of every format's block of rows
_YIELD_SECONDS = 0.02


def load(checkpoint: Checkpoint, *, dtype: DtypeChoice = "auto", device: torch.device) -> Decoder:
    """Load to the end, by the default plan. Raises Problem when a file has changed since it was described."""
    run: DtypeName = checkpoint.dtype if dtype == "auto" else dtype
    steps = loading(checkpoint, make_plan(checkpoint, dtype=run, device=device))
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            decoder: Decoder = finished.value
            return decoder


def loading(checkpoint: Checkpoint, plan: Plan) -> Generator[tuple[int, int], None, Decoder]:
    """Load in pieces of some 20 ms; yields (stored bytes done, in all), returns the Decoder. Drop it to cancel.

    On the CPU a tensor that already has the run's dtype stays in the file's pages: nothing is copied.
    Any other becomes a contiguous tensor, on CUDA an expert's behind those of the expert before it.
    Raises Problem like `load`.
    """
    experts = _paged(checkpoint, plan)
    away = {
        name for layer, those in experts.items() for expert in range(len(those)) for name in expert_names(layer, expert)
    }
    wanted = {name: stored for name, stored in checkpoint.tensors.items() if name not in away}
    total = sum(stored.stored_bytes for stored in wanted.values())
    tensors: dict[str, Tensor] = {}
    beside = experts_side_by_side(checkpoint, plan) if plan.device.type == "cuda" and not plan.paged else {}
    done = 0
    yield done, total
    last = time.monotonic()
    for name, stored in wanted.items():
        if is_mapped(name, stored, plan.dtype, plan.device):
            tensors[name] = stored.values(run_dtype(name, plan.dtype))
            shares = iter((1.0,))
        else:
            place = beside.get(name)
            if place is None:
                place = torch.empty(stored.shape, dtype=run_dtype(name, plan.dtype), device=plan.device)
            tensors[name] = place
            shares = _fill(tensors[name], stored)
        before = done
        for share in shares:
            done = before + int(share * stored.stored_bytes)
            if time.monotonic() - last > _YIELD_SECONDS:
                yield done, total
                last = time.monotonic()
    yield total, total
    return Decoder(checkpoint.config, bind(checkpoint.config, tensors, experts))


def experts_side_by_side(checkpoint: Checkpoint, plan: Plan) -> dict[str, Tensor]:
    """Room for every routed expert, one matrix of a layer behind the other: a decode step takes them by number."""
    config = checkpoint.config
    places: dict[str, Tensor] = {}
    stored = 0 if config.router is None else config.router.stored_experts
    for layer in config.moe_layers:
        for names in zip(*(expert_names(layer, expert) for expert in range(stored)), strict=True):
            shape = (stored, *checkpoint.tensors[names[0]].shape)
            whole = torch.empty(shape, dtype=TORCH_DTYPES[plan.dtype], device=plan.device)
            places |= zip(names, whole, strict=True)
    return places


def _fill(destination: Tensor, stored: Stored) -> Iterator[float]:
    """Expand and move some rows at a time; yields the share of the tensor that is done."""
    count = len(destination)
    rows = max(_ROWS, _PIECE * count // max(1, destination.numel()) // _ROWS * _ROWS)
    for start in range(0, count, rows):
        part = destination[start : start + rows]
        if part.device.type == "cpu":
            stored.fill(part, start)
        else:
            staged = torch.empty(part.shape, dtype=part.dtype)
            stored.fill(staged, start)
            part.copy_(staged)
        yield min(1.0, (start + rows) / count)


def _paged(checkpoint: Checkpoint, plan: Plan) -> dict[int, Experts]:
    """The experts of every layer that is paged; all of them share one Traffic, and Slots where they need any."""
    config = checkpoint.config
    if not plan.paged or config.router is None:
        return {}
    traffic, dtype = Traffic(), TORCH_DTYPES[plan.dtype]
    device_slots = _slots(checkpoint, plan, plan.slots, plan.device)
    host_slots = _slots(checkpoint, plan, plan.host_slots, torch.device("cpu"), pinned=plan.device.type == "cuda")
    unseen = Traffic()  # between the files and pinned memory
    experts: dict[int, Experts] = {}
    for layer in config.moe_layers:
        stored = [_expert(checkpoint, layer, expert) for expert in range(config.router.stored_experts)]
        if layer in plan.mapped_layers:
            experts[layer] = MappedExperts(stored, dtype, traffic)
        elif plan.host_slots:
            experts[layer] = streamed(layer, expanded(layer, stored, host_slots, unseen), device_slots, traffic)
        else:
            experts[layer] = expanded(layer, stored, device_slots, traffic)
    return experts


def _expert(checkpoint: Checkpoint, layer: int, expert: int) -> StoredExpert:
    return StoredExpert(*(checkpoint.tensors[name] for name in expert_names(layer, expert)))


def _slots(checkpoint: Checkpoint, plan: Plan, count: int, device: torch.device, *, pinned: bool = False) -> Slots:
    config = checkpoint.config
    return Slots(
        count,
        width=config.moe_intermediate_size,
        hidden=config.hidden_size,
        dtype=TORCH_DTYPES[plan.dtype],
        device=device,
        pinned=pinned,
    )
