"""Keys of GGUF files: any value of any kind is read as it was meant, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checkpoint.families.table import parse_config
from model.checkpoint.gguf.settings import Metadata, config_values
from model.checkpoint.gguf.vocabulary import vocabulary_notes
from model.config import ModelConfig
from model.problems import Problem
from model.tensorfile import Entry

V3: dict[str, Any] = {
    "block_count": 61,
    "embedding_length": 7168,
    "feed_forward_length": 18432,
    "context_length": 163840,
    "attention.head_count": 128,
    "attention.head_count_kv": 1,
    "attention.layer_norm_rms_epsilon": float(np.float32(1e-6)),
    "attention.q_lora_rank": 1536,
    "attention.kv_lora_rank": 512,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
    "rope.dimension_count": 64,
    "rope.freq_base": 10000.0,
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 40.0,
    "rope.scaling.original_context_length": 4096,
    "rope.scaling.yarn_log_multiplier": float(np.float32(0.1)),
    "leading_dense_block_count": 3,
    "expert_count": 256,
    "expert_used_count": 8,
    "expert_shared_count": 1,
    "expert_feed_forward_length": 2048,
    "expert_weights_scale": 2.5,
    "expert_weights_norm": True,
    "expert_gating_func": 2,
    "expert_group_count": 8,
    "expert_group_used_count": 4,
}
TOP: dict[str, Any] = {
    "general.architecture": "deepseek2",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "deepseek-v3",
    "tokenizer.ggml.tokens": ["a"],
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 1,
}
TENSORS = {"token_embd.weight": Entry("F32", (129280, 7168), 0, 0), "output.weight": Entry("F32", (1, 1), 0, 0)}


def read(**changes: Any) -> tuple[ModelConfig, list[str]]:
    """With underscores of a keyword for the dots of a key."""
    values = TOP | {f"deepseek2.{name}": value for name, value in V3.items()} | changes
    values = {name: value for name, value in values.items() if value is not None}
    notes: list[str] = []
    parsed = parse_config(config_values(Metadata(values, TENSORS, "x.gguf"), notes), Path("x.gguf"))
    vocabulary_notes(values)
    return parsed.config, notes


def test_deepseek_v3_is_what_its_config_says() -> None:
    config, notes = read()
    assert notes == []
    assert (config.heads, config.layers, config.kv_lora_rank, config.q_lora_rank) == (128, 61, 512, 1536)
    assert (config.qk_nope_head_dim, config.qk_rope_head_dim, config.v_head_dim) == (128, 64, 128)
    assert config.moe_layers == tuple(range(3, 61))
    assert config.router is not None
    assert (config.router.method, config.router.scoring, config.router.normalise) == ("noaux_tc", "sigmoid", True)
    assert (config.router.groups, config.router.groups_per_token, config.router.scaling_factor) == (8, 4, 2.5)
    assert config.rope.yarn is not None
    assert (config.rope.yarn.mscale, config.rope.yarn.mscale_all_dim) == (1.0, 1.0)
    assert config.rope.interleaved
    assert config.rms_norm_eps == 1e-6
    assert (config.bos_token_id, config.eos_token_ids) == (0, (1,))


@pytest.mark.parametrize("meant", [0.707, 1.0, 2.446, 2.827, 1e-5, 50_000.0, 1.8])
def test_numbers_are_the_decimal_ones_that_were_meant(meant: float) -> None:
    config, _ = read(
        **{
            "deepseek2.expert_weights_scale": float(np.float32(meant)),
            "deepseek2.rope.scaling.yarn_log_multiplier": float(np.float32(0.1 * meant)),
        }
    )
    assert config.router is not None
    assert config.rope.yarn is not None
    assert config.router.scaling_factor == meant
    assert config.rope.yarn.mscale_all_dim == round(meant, 6)


def test_v2_files_from_before_the_key_have_a_softmax() -> None:
    config, notes = read(**{"deepseek2.expert_gating_func": None, "deepseek2.expert_weights_norm": None})
    assert config.router is not None
    assert (config.router.method, config.router.scoring) == ("group_limited_greedy", "softmax")
    assert notes == ["The file does not say how experts are scored: softmax."]


def test_a_dense_model_has_no_router() -> None:
    config, _ = read(**{"deepseek2.expert_count": None})
    assert config.router is None
    assert config.moe_layers == ()


def test_prediction_layers_are_not_counted() -> None:
    config, _ = read(**{"deepseek2.block_count": 62, "deepseek2.nextn_predict_layers": 1})
    assert config.layers == 61


ODD: list[Any] = [
    None, -1, 0, 2**63, 1.5, float("nan"), float("inf"), True, "", "x\n" * 99, [], ["a"], [[1]],
    np.arange(3), np.zeros(0), np.array([True, False]), np.linspace(0.123456789, 1, 1000),
]  # fmt: skip


@pytest.mark.parametrize("key", [*(f"deepseek2.{name}" for name in V3), *TOP])
def test_any_value_of_any_key_is_read_or_refused(key: str) -> None:
    sentences = []
    for value in ODD:
        try:
            read(**{key: value})
        except Problem as problem:
            sentences.append(str(problem))
    assert all(sentence.isprintable() and sentence.endswith(".") for sentence in sentences)
    unread = ("head_count_kv", "attention.key_length", "attention.value_length", "model", "pre", "tokens")
    assert bool(sentences) is not key.endswith(unread)
