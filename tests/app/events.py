"""Hand-made events of a small run: 2 MoE layers of 3 blocks, 4 experts, 2 per token."""

import numpy as np

from model.config import ModelConfig, RopeConfig, RouterConfig, Sampling
from model.messages import Array, CheckpointSummary, Finished, Grown, Opened, RunInfo, Started, StepBatch, TokenBatch

CONFIG = ModelConfig(
    family="deepseek_v2",
    model_type="deepseek_v2",
    vocab_size=50,
    hidden_size=16,
    layers=3,
    heads=4,
    q_lora_rank=8,
    kv_lora_rank=8,
    qk_nope_head_dim=4,
    qk_rope_head_dim=4,
    v_head_dim=4,
    intermediate_size=16,
    moe_intermediate_size=8,
    shared_experts=1,
    moe_layers=(1, 2),
    router=RouterConfig("group_limited_greedy", "softmax", 4, 2, groups=2, groups_per_token=1),
    rope=RopeConfig(10000.0),
    max_position_embeddings=64,
)


def summary(name: str = "tiny") -> CheckpointSummary:
    return CheckpointSummary(
        path=f"/models/{name}",
        name=name,
        config=CONFIG,
        parameters_total=1000,
        parameters_active=600,
        kv_bytes_per_token={"mla": 144, "mha": 576, "gqa": 576, "mqa": 144},
        dtype="float32",
        file_bytes=4000,
        weight_bytes=4000,
        free_bytes=10**9,
        has_tokenizer=True,
        notes=[],
    )


def opened(request: int = 1) -> Opened:
    return Opened(request=request, summary=summary(), device="cpu", dtype="float32", seconds=0.1)


def started(request: int = 2, run: str = "run-1", prompt_tokens: int = 3) -> Started:
    return Started(
        request=request,
        info=RunInfo(
            run=run,
            folder=f"/runs/{run}",
            title="a prompt",
            model_name="tiny",
            checkpoint_path="/models/tiny",
            config=CONFIG,
            dtype="float32",
            device="cpu",
            sampling=Sampling(),
            prompt_tokens=prompt_tokens,
            max_new_tokens=5,
            attention_available=True,
        ),
    )


def grown(first: int, count: int, *, step: int, request: int = 2, run: str = "run-1") -> Grown:
    """`count` tokens fed by one step; token t goes to experts t mod 4 and t + 1 mod 4 in both layers."""
    numbers = np.arange(first, first + count)
    chosen = np.stack((numbers % 4, (numbers + 1) % 4), axis=1).astype(np.int16)
    ids = np.repeat(chosen[:, None], 2, axis=1)
    return Grown(
        request=request,
        run=run,
        tokens=TokenBatch(
            first=first,
            ids=Array.of(numbers.astype(np.int32)),
            texts=[f"t{number} " for number in numbers],
            log_probability=Array.of(np.full(count, -1.0, np.float32)),
            expert_ids=Array.of(ids),
            expert_weights=Array.of(np.full((count, 2, 2), 0.25, np.float32)),
            margins=Array.of(np.full((count, 2), 0.01, np.float32)),
        ),
        steps=StepBatch(
            first=step,
            tokens=Array.of(np.array([first + count])),
            decode=Array.of(np.array([count == 1])),
            measured_bytes=Array.of(np.array([144 * (first + count + 64)])),
            used_bytes=Array.of(np.array([144 * (first + count)])),
            seconds=Array.of(np.array([0.5], np.float32)),
            expert_hits=Array.of(np.array([3])),
            expert_misses=Array.of(np.array([1])),
            bytes_read=Array.of(np.array([4096])),
            chosen_ids=Array.of(np.array([7], np.int32)),
            chosen_texts=["x"],
            chosen_log_probability=Array.of(np.array([-0.5], np.float32)),
            top_ids=Array.of(np.zeros((1, 5), np.int32)),
            top_texts=[["x"] * 5],
            top_log_probability=Array.of(np.zeros((1, 5), np.float32)),
        ),
        recording_bytes=1000,
        memory_bytes=500,
    )


def finished(request: int = 2, run: str = "run-1") -> Finished:
    return Finished(request=request, run=run, reason="length", text="xx", decode_tokens_per_second=100.0)
