"""What is known of a checkpoint from its headers, and whether it fits: no weights are read for this."""

from dataclasses import dataclass, field
from typing import Literal

from model.config import DtypeName

Verdict = Literal["fits", "tight", "too big"]

SHORT_CONTEXT = 2048
TIGHT = 0.9
RECORDING_LIMIT = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """A checkpoint's description for a run in `dtype`, which it got by `asked_dtype`, `asked_device` and
    `budget_bytes` (0: the engine's choice).

    Sizes in bytes. `kv_bytes` has the keys mla, mha, gqa and mqa, per token over all layers; `weight_bytes` are all
    weights in `dtype`; `resident_bytes` what of them must stay in memory, `expert_cache_bytes` of it included;
    `dense_tokens` is the longest run that attends as the real model does, None: any.
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
    kv_kind: str = "mla"  # which of `kv_bytes` the cache keeps
    kv_heads: int | None = None
    zero_experts: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    resident_bytes: int = 0
    expert_cache_bytes: int = 0
    largest_expert_bytes: int = 0
    fits: bool = True
    has_chat_template: bool = False
    dense_tokens: int | None = None
    asked_device: str = "auto"
    asked_dtype: str = "auto"
    budget_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device the model may be opened on."""

    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Bytes needed: what stays of the weights, latents at two lengths, the same as MHA, and what is free."""

    resident: int
    tokens: int
    latents: int
    latents_mha: int
    context: int
    context_latents: int
    context_mha: int
    recording: int
    free: int
    budget: int
    fits: bool

    @property
    def needed(self) -> int:
        """Bytes that stay of the weights, and a run of ordinary length with its recording full."""
        return self.resident + self.latents + self.recording

    @property
    def share(self) -> float:
        """`needed` as a part of what is free."""
        return self.needed / max(self.free, 1)

    @property
    def verdict(self) -> Verdict:
        """Whether it fits; `tight` above nine tenths of what is free."""
        if not self.fits or self.share > 1.0:
            return "too big"
        return "tight" if self.share > TIGHT else "fits"


def memory_plan(facts: CheckpointFacts) -> MemoryPlan:
    """The plan of a checkpoint as the engine described it."""
    context = min(facts.context, facts.dense_tokens or facts.context)
    tokens = min(SHORT_CONTEXT, context)
    mla, mha = facts.kv_bytes[facts.kv_kind], facts.kv_bytes["mha"]
    return MemoryPlan(
        resident=facts.resident_bytes,
        tokens=tokens,
        latents=mla * tokens,
        latents_mha=mha * tokens,
        context=context,
        context_latents=mla * context,
        context_mha=mha * context,
        recording=facts.recording_bytes,
        free=facts.free_bytes,
        budget=facts.budget_bytes,
        fits=facts.fits,
    )
