"""The bundled model's shape and how it is trained, as plain numbers."""

from dataclasses import dataclass, replace
from typing import Literal

from model.config import ModelConfig, RopeConfig, RouterConfig

DOCUMENT_END = "<|endoftext|>"
DOCUMENT_END_ID = 0


BalanceMethod = Literal["losses", "bias"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run. Lengths and budgets in tokens, rates per step.

    `balance`: DeepSeek-V2's losses, or DeepSeek-V3's correction bias, which moves by `bias_speed` a step.
    `exercises` is the share of sequences that are made up; it falls to a third of that at the end.
    """

    seed: int = 20
    sequence_length: int = 512
    long_sequence_length: int = 2048
    micro_batch_tokens: int = 2048
    micro_batches: int = 2
    warmup_tokens: int = 600_000
    matrix_rate: float = 4e-3  # Muon, update scaled to AdamW's root mean square
    vector_rate: float = 2e-3  # AdamW: embedding, router, norms
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    exercises: float = 0.15
    balance: BalanceMethod = "losses"
    expert_balance: float = 0.001  # alpha 1 to 3 of DeepSeek-V2 §3.1.2, the first a third: it was even enough
    device_balance: float = 0.05
    communication_balance: float = 0.02
    bias_speed: float = 0.001  # DeepSeek-V3 §4.2

    @property
    def batch_tokens(self) -> int:
        """Tokens of one optimiser step."""
        return self.micro_batch_tokens * self.micro_batches


def recipe_for(device: str, *, balance: BalanceMethod = "losses") -> Recipe:
    """Two cores take small steps, a graphics card large ones, fewer of them for the same tokens."""
    if device == "cpu":
        return Recipe(balance=balance)
    return Recipe(
        balance=balance,
        sequence_length=1024,
        micro_batch_tokens=32_768,
        micro_batches=1,
        warmup_tokens=6_000_000,
        weight_decay=0.1,
    )


def loupe_mini() -> ModelConfig:
    """DeepSeek-V2 in miniature: 8.3 M parameters, one dense and five MoE layers, four device groups."""
    return ModelConfig(
        family="deepseek",
        model_type="deepseek_v2",
        vocab_size=8192,
        hidden_size=256,
        layers=6,
        heads=8,
        q_lora_rank=128,
        kv_lora_rank=64,
        qk_nope_head_dim=32,
        qk_rope_head_dim=16,
        v_head_dim=32,
        intermediate_size=768,
        moe_intermediate_size=64,
        shared_experts=2,
        moe_layers=(1, 2, 3, 4, 5),
        router=RouterConfig(
            method="group_limited_greedy",
            scoring="softmax",
            experts=16,
            experts_per_token=4,
            groups=4,
            groups_per_token=2,
            # Sixteen experts at the start weigh 1/16 each: 4/16 · 2.5 is V2's own 6/160 · 16, about 0.6.
            scaling_factor=2.5,
        ),
        rope=RopeConfig(theta=10000.0),
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        dtype="bfloat16",
        bos_token_id=DOCUMENT_END_ID,
        eos_token_ids=(DOCUMENT_END_ID,),
    )


def loupe_mini_biased() -> ModelConfig:
    """The same shape with DeepSeek-V3's router: sigmoid scores, a correction bias in place of balance losses."""
    config = loupe_mini()
    assert config.router is not None
    router = replace(config.router, method="noaux_tc", scoring="sigmoid", normalise=True)
    return replace(config, model_type="deepseek_v3", router=router)
