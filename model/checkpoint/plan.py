"""Where a checkpoint's weights would lie in memory, decided from headers alone, before anything is allocated.

Weights in the files' own pages cost nothing that cannot be had back: the kernel drops such pages when memory is
short and reads them again. Everything else counts against a budget: weights that are converted, the cache of
experts, and what one run needs (`working_bytes`). The program itself, some 0.4 GB, comes on top.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import torch

from model.caches import kept_bytes
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.memory import free_bytes
from model.checkpoint.stored import Stored
from model.config import DTYPE_BYTES, DtypeName, ModelConfig
from model.recording.columns import CHUNK_TOKENS, columns

TORCH_DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
HOST_SHARE = 2  # by default at most half of the free memory is taken; the rest keeps the files' pages
DEVICE_SHARE = 0.9  # of a CUDA device's free memory
RUN_TOKENS = 8192  # the context that room is kept for; longer runs need more than the budget says
LOGITS_TOKENS = 512
LOGITS_BYTES = 12  # per logit of a prefill chunk: as computed, in float32, and for the log-probabilities

_EXPERT = ".mlp.experts."
# Routing is decided in float32, whatever the rest runs in.
ALWAYS_FLOAT32 = ("mlp.gate.weight", "mlp.gate.e_score_correction_bias")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a checkpoint is loaded. Bytes; on the CPU those that cannot be reclaimed, else those of the device.

    `slots` 0: every expert is always at hand. Otherwise experts are paged: those of `mapped_layers` by the kernel,
    all others through so many slots; with `host_slots` these are filled from as many in pinned host memory.
    """

    dtype: DtypeName
    device: torch.device
    budget_bytes: int
    dense_bytes: int  # copied weights outside of what is paged
    working_bytes: int
    expert_bytes: int  # one routed expert in the run's dtype; 0 without any
    paged: bool = False
    mapped_layers: frozenset[int] = frozenset()
    slots: int = 0
    fewest_slots: int = 0
    host_slots: int = 0

    @property
    def expert_cache_bytes(self) -> int:
        """The bounded store of experts."""
        return self.slots * self.expert_bytes

    @property
    def resident_bytes(self) -> int:
        """What the weights take."""
        return self.dense_bytes + self.expert_cache_bytes

    @property
    def least_bytes(self) -> int:
        """What this needs at the least: dense weights, one token's experts, one run."""
        return self.dense_bytes + self.fewest_slots * self.expert_bytes + self.working_bytes

    @property
    def fits(self) -> bool:
        """Whether it can run within the budget."""
        return self.least_bytes <= self.budget_bytes


def make_plan(checkpoint: Checkpoint, *, dtype: DtypeName, device: torch.device, budget_bytes: int = 0) -> Plan:
    """Decide how to load. `budget_bytes` 0 is the default; more than what is free counts as what is free.

    Whatever fits stays in memory as a whole, mapped or copied. What does not is paged by routed experts.
    """
    config = checkpoint.config
    free = free_bytes() if device.type == "cpu" else torch.cuda.mem_get_info(device)[0]
    default = free // HOST_SHARE if device.type == "cpu" else int(free * DEVICE_SHARE)
    budget = min(budget_bytes, free) if budget_bytes > 0 else default
    dense = copied_experts = whole = 0
    expert_layers: dict[int, int] = defaultdict(int)  # copied bytes by layer
    for name, stored in checkpoint.tensors.items():
        size = prod(stored.shape) * run_dtype(name, dtype).itemsize
        copied = 0 if is_mapped(name, stored, dtype, device) else size
        whole += size
        if _EXPERT in name:
            copied_experts += copied
            expert_layers[int(name.split(".", 3)[2])] += copied
        else:
            dense += copied
    resident = Plan(
        dtype=dtype,
        device=device,
        budget_bytes=budget,
        dense_bytes=dense + copied_experts,
        working_bytes=working_bytes(config, dtype),
        expert_bytes=expert_size(config, dtype) if expert_layers else 0,
    )
    if whole + resident.working_bytes <= budget or config.router is None:
        return resident
    mapped = frozenset(layer for layer, copied in expert_layers.items() if not copied)
    others = (len(expert_layers) - len(mapped)) * config.router.stored_experts
    fewest = min(config.router.experts_per_token + 1, others)
    room = max(0, budget - resident.working_bytes - dense) // resident.expert_bytes
    host_room = 0 if device.type == "cpu" else free_bytes() // HOST_SHARE // resident.expert_bytes
    return replace(
        resident,
        paged=True,
        dense_bytes=dense,
        mapped_layers=mapped,
        slots=min(max(room, fewest), others),
        fewest_slots=fewest,
        host_slots=0 if device.type == "cpu" else min(max(host_room, fewest), others),
    )


def run_dtype(name: str, dtype: DtypeName) -> torch.dtype:
    """What a tensor runs in."""
    return torch.float32 if name.endswith(ALWAYS_FLOAT32) else TORCH_DTYPES[dtype]


def is_mapped(name: str, stored: Stored, dtype: DtypeName, device: torch.device) -> bool:
    """Whether a tensor can stay in its file's pages."""
    return device.type == "cpu" and stored.mapped_dtype == run_dtype(name, dtype)


def expert_names(layer: int, expert: int) -> Iterator[str]:
    """The three matrices of a routed expert: gate, up, down."""
    for part in ("gate", "up", "down"):
        yield f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"


def expert_size(config: ModelConfig, dtype: DtypeName) -> int:
    """Bytes of one routed expert in the run's dtype."""
    return 3 * config.moe_intermediate_size * config.hidden_size * DTYPE_BYTES[dtype]


def working_bytes(config: ModelConfig, dtype: DtypeName) -> int:
    """One run of RUN_TOKENS: its KV cache with the spare quarter, the part of the recording in memory, logits."""
    tokens = min(config.max_position_embeddings, RUN_TOKENS)
    cache = kept_bytes(config, DTYPE_BYTES[dtype]) * tokens * 5 // 4
    recorded = sum(column.nbytes(CHUNK_TOKENS) for column in columns(config, dtype=dtype).values())
    return cache + recorded + LOGITS_BYTES * config.vocab_size * min(LOGITS_TOKENS, tokens)
