"""Parameter totals and KV bytes of the released models, from their published dimensions."""

from dataclasses import replace

import pytest

from model.config import ModelConfig, RopeConfig, RouterConfig
from model.kv_bytes import kv_bytes_per_token
from model.shapes import parameters_active, parameters_total, tensor_shapes
from tests.model.network.tiny import TINY

V2_LITE = ModelConfig(
    family="DeepSeek-V2",
    model_type="deepseek_v2",
    vocab_size=102_400,
    hidden_size=2048,
    layers=27,
    heads=16,
    q_lora_rank=None,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    intermediate_size=10_944,
    moe_intermediate_size=1408,
    shared_experts=2,
    moe_layers=tuple(range(1, 27)),
    router=RouterConfig("greedy", "softmax", 64, 6),
    rope=RopeConfig(10_000.0),
    max_position_embeddings=163_840,
)
V2 = replace(
    V2_LITE,
    hidden_size=5120,
    layers=60,
    heads=128,
    q_lora_rank=1536,
    intermediate_size=12_288,
    moe_intermediate_size=1536,
    moe_layers=tuple(range(1, 60)),
    router=RouterConfig("group_limited_greedy", "softmax", 160, 6, 8, 3),
)
V3 = replace(
    V2,
    vocab_size=129_280,
    hidden_size=7168,
    layers=61,
    intermediate_size=18_432,
    moe_intermediate_size=2048,
    shared_experts=1,
    moe_layers=tuple(range(3, 61)),
    router=RouterConfig("noaux_tc", "sigmoid", 256, 8, 8, 4),
)


@pytest.mark.parametrize(
    ("config", "total", "active"), [(V2_LITE, 15.706, 2.45), (V2, 235.741, 20.85), (V3, 671.026, 36.63)]
)
def test_parameters_of_released_models(config: ModelConfig, total: float, active: float) -> None:
    assert parameters_total(config) / 1e9 == pytest.approx(total, abs=6e-4)
    assert parameters_active(config) / 1e9 == pytest.approx(active, abs=6e-3)


@pytest.mark.parametrize(
    ("config", "mla", "mha"),
    [(V2_LITE, 31_104, 276_480), (V2, 69_120, 4_915_200), (V3, 70_272, 4_997_120)],
)
def test_kv_bytes_per_token_of_released_models_in_bf16(config: ModelConfig, mla: int, mha: int) -> None:
    kv_bytes = kv_bytes_per_token(config, 2)
    assert (kv_bytes["mla"], kv_bytes["mha"]) == (mla, mha)
    assert kv_bytes["gqa"] * config.heads == mha * 8
    assert kv_bytes["mqa"] * config.heads == mha


def test_a_model_with_few_heads_has_no_more_groups_than_heads() -> None:
    kv_bytes = kv_bytes_per_token(TINY, 4)
    assert kv_bytes == {"mla": 3 * 40 * 4, "mha": 3 * 4 * 36 * 4, "gqa": 3 * 4 * 36 * 4, "mqa": 3 * 36 * 4}


def test_a_tied_head_is_stored_once_and_still_used() -> None:
    tied = replace(TINY, tie_word_embeddings=True)
    assert "lm_head.weight" not in tensor_shapes(tied)
    assert parameters_total(TINY) - parameters_total(tied) == 257 * 64
    assert parameters_active(TINY) == parameters_active(tied)


def test_biases_appear_where_the_config_asks_for_them() -> None:
    biased = replace(TINY, attention_bias=True, mlp_bias=True)
    added = tensor_shapes(biased).keys() - tensor_shapes(TINY).keys()
    attention = {f"self_attn.{name}.bias" for name in ("q_a_proj", "kv_a_proj_with_mqa", "o_proj")}
    assert {name.removeprefix("model.layers.0.") for name in added if "layers.0.self_attn" in name} == attention
    assert any("layers.1.mlp.shared_experts" in name for name in added)
    assert not any(".mlp.experts." in name for name in added)
