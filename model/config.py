"""What a checkpoint computes, as plain numbers: shapes, router, RoPE. Torch-free.

Shape letters used for tensor names in the whole project (`scores_HQK` has shape [heads, queries, keys]):

    B sequences   T tokens        D model width     H heads        Q queries   K keys
    C latent (kv_lora_rank)       R rotary width    N content width (qk_nope_head_dim)
    V value width                 E routed experts  A experts chosen per token
    L layers (attention blocks)   M MoE layers      G expert groups, or heads of cached keys and values
"""

from dataclasses import dataclass
from typing import Literal

# "group_limited_top2": groups count by their two best experts as in noaux_tc, but no bias takes part (Mistral 4).
RouterMethod = Literal["greedy", "group_limited_greedy", "group_limited_top2", "noaux_tc"]
ScoringFunction = Literal["softmax", "sigmoid"]
AttentionKind = Literal["mla", "mha", "gqa", "mqa"]
DtypeName = Literal["float32", "bfloat16", "float16"]

DTYPE_BYTES: dict[DtypeName, int] = {"float32": 4, "bfloat16": 2, "float16": 2}

# DeepSeek's code and transformers use 1e-6 for the two latent norms, whatever rms_norm_eps says.
LATENT_NORM_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class YarnConfig:
    """YaRN frequency scaling (arXiv 2309.00071) as DeepSeek-V2 applies it, at every length."""

    factor: float
    original_max_position_embeddings: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float | None = None
    mscale_all_dim: float | None = None
    attention_factor: float | None = None
    truncate: bool = True


@dataclass(frozen=True, slots=True)
class LongRopeConfig:
    """LongRoPE (arXiv 2402.13753): one divisor per rotated pair, another set beyond the original length."""

    short_factors: tuple[float, ...]
    long_factors: tuple[float, ...]
    original_max_position_embeddings: int
    attention_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary position embedding of the `qk_rope_head_dim` slice of queries and of k_rope."""

    theta: float
    interleaved: bool = True
    yarn: YarnConfig | None = None
    longrope: LongRopeConfig | None = None


@dataclass(frozen=True, slots=True)
class QueryTemperature:
    """Queries grow with their position: times 1 + beta · ln(1 + ⌊position / original⌋) (Mistral 4, Llama 4)."""

    beta: float
    original_max_position_embeddings: int


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """How a token chooses its experts (DeepSeek-V2 §2.2, DeepSeek-V3 §2.1.2).

    `experts` counts all that can be chosen; the last `zero_experts` of them have no weights and answer with
    their input (LongCat-Flash). Routers decide in float32 unless `model_dtype_logits`.
    """

    method: RouterMethod
    scoring: ScoringFunction
    experts: int
    experts_per_token: int
    groups: int = 1
    groups_per_token: int = 1
    normalise: bool = False
    scaling_factor: float = 1.0
    zero_experts: int = 0
    model_dtype_logits: bool = False

    @property
    def stored_experts(self) -> int:
        """Experts that have weights."""
        return self.experts - self.zero_experts

    @property
    def biased(self) -> bool:
        """Whether a correction bias takes part in the choice, though not in the weights."""
        return self.method == "noaux_tc"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One decoder of the MLA + MoE kind. Widths in elements; `router` is None for a dense model.

    What only some families do is an option that is off by default; the network never asks which family it is.
    `layers` counts attention blocks: a LongCat layer with two attentions is two blocks.
    """

    family: str
    model_type: str
    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    q_lora_rank: int | None
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    intermediate_size: int
    moe_intermediate_size: int
    shared_experts: int
    moe_layers: tuple[int, ...]
    router: RouterConfig | None
    rope: RopeConfig
    max_position_embeddings: int
    rms_norm_eps: float = 1e-6
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False
    dtype: DtypeName = "float32"
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    embedding_scale: float = 1.0  # embeddings times this (MiniCPM3)
    residual_scale: float = 1.0  # what attention and feed-forward add to the residual, times this (MiniCPM3)
    logit_scale: float = 1.0  # the final hidden state, times this, before the head (MiniCPM3)
    query_scale: float = 1.0  # queries times this; part of the softmax scale (LongCat-Flash)
    c_kv_scale: float = 1.0  # c_kv behind its norm, times this, and so cached (LongCat-Flash)
    query_temperature: QueryTemperature | None = None
    moe_norm: bool = False  # an RMSNorm on routed + shared output, before the residual (A.X-K1)
    # Keys and values are cached for so many heads (MHA, GQA, MQA), each read by heads / kv_heads queries, instead of
    # one latent for all (MLA). There is no latent then: kv_lora_rank is 0, and there is no query LoRA.
    kv_heads: int | None = None
    # A block with experts also has a dense MLP, and its experts' answer joins at the end of the next block (LongCat).
    shortcut_moe: bool = False
    # Beyond so many tokens the real model attends sparsely (DeepSeek-V3.2's indexer), which is not modelled.
    dense_attention_tokens: int | None = None

    @property
    def attention(self) -> AttentionKind:
        """What this model's cache is an example of."""
        if self.kv_heads is None:
            return "mla"
        return "mha" if self.kv_heads == self.heads else "mqa" if self.kv_heads == 1 else "gqa"

    @property
    def qk_head_dim(self) -> int:
        """Width of one head's query and key: content and rotary parts together."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def query_source_width(self) -> int:
        """Width of what a recording keeps to rebuild queries: c_q, or the normalised input."""
        return self.q_lora_rank if self.q_lora_rank is not None else self.hidden_size


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy; top_k 0 and top_p 1 switch those filters off."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0

    def problem(self) -> str | None:
        """One sentence saying which setting is out of range, or None."""
        if not 0.0 <= self.temperature <= 100.0:
            return f"temperature {self.temperature} is not between 0 and 100"
        if not 0.0 < self.top_p <= 1.0:
            return f"top-p {self.top_p} is not above 0 and at most 1"
        if self.top_k < 0:
            return f"top-k {self.top_k} is negative; 0 switches it off"
        return None
