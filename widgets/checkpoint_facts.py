"""What is known of a checkpoint from its headers, and whether it fits: no weights are read for this."""

from dataclasses import dataclass
from typing import Literal

from model.config import DTYPE_BYTES, DtypeName

Verdict = Literal["fits", "tight", "too big"]

SHORT_CONTEXT = 2048
TIGHT = 0.9
RECORDING_LIMIT = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """A checkpoint folder's description. Sizes in bytes; `kv_bytes` per token over all layers in `dtype`.

    `kv_bytes` has the keys mla, mha, gqa and mqa; `weight_bytes` are the weights in `dtype`.
    """

    name: str
    path: str
    family: str
    model_type: str
    layers: int
    heads: int
    q_lora_rank: int | None
    kv_lora_rank: int
    experts: int
    experts_per_token: int
    shared: int
    groups: int
    total: int
    active: int
    kv_bytes: dict[str, int]
    dtype: DtypeName
    file_bytes: int
    weight_bytes: int
    free_bytes: int
    context: int
    has_tokenizer: bool
    notes: tuple[str, ...] = ()
    recording_bytes: int = RECORDING_LIMIT


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device the model may be opened on, and its free bytes."""

    key: str
    label: str
    free_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes needed in one number format: weights, latents at two lengths, the same as MHA, and what is free."""

    weights: int
    tokens: int
    latents: int
    latents_mha: int
    context: int
    context_latents: int
    context_mha: int
    recording: int
    free: int

    @property
    def needed(self) -> int:
        """Bytes for the weights and a run of ordinary length with its recording full."""
        return self.weights + self.latents + self.recording

    @property
    def share(self) -> float:
        """`needed` as a part of what is free."""
        return self.needed / max(self.free, 1)

    @property
    def verdict(self) -> Verdict:
        """Whether it fits; `tight` above nine tenths."""
        if self.share > 1.0:
            return "too big"
        return "tight" if self.share > TIGHT else "fits"


def memory_plan(facts: CheckpointFacts, *, dtype: DtypeName, free_bytes: int) -> MemoryPlan:
    """The plan in another number format and on another device than the facts were taken for."""
    ratio = DTYPE_BYTES[dtype] / DTYPE_BYTES[facts.dtype]
    mla, mha = round(facts.kv_bytes["mla"] * ratio), round(facts.kv_bytes["mha"] * ratio)
    tokens = min(SHORT_CONTEXT, facts.context)
    return MemoryPlan(
        weights=round(facts.weight_bytes * ratio),
        tokens=tokens,
        latents=mla * tokens,
        latents_mha=mha * tokens,
        context=facts.context,
        context_latents=mla * facts.context,
        context_mha=mha * facts.context,
        recording=facts.recording_bytes,
        free=free_bytes,
    )
