"""Parameters and KV bytes of released models, from the values of their config.json."""

from pathlib import Path
from typing import Any

import pytest

from model.checkpoint.families.table import parse_config
from model.config import ModelConfig
from model.kv_bytes import kv_bytes_per_token
from model.network.rope import softmax_scale
from model.shapes import parameters_active, parameters_total

V2_YARN = {
    "beta_fast": 32,
    "beta_slow": 1,
    "factor": 40,
    "mscale": 0.707,
    "mscale_all_dim": 0.707,
    "original_max_position_embeddings": 4096,
    "type": "yarn",
}
V2: dict[str, Any] = {
    "model_type": "deepseek_v2",
    "vocab_size": 102_400,
    "hidden_size": 5120,
    "intermediate_size": 12_288,
    "moe_intermediate_size": 1536,
    "num_hidden_layers": 60,
    "num_attention_heads": 128,
    "n_shared_experts": 2,
    "n_routed_experts": 160,
    "num_experts_per_tok": 6,
    "routed_scaling_factor": 16.0,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "qk_nope_head_dim": 128,
    "topk_method": "group_limited_greedy",
    "n_group": 8,
    "topk_group": 3,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
    "norm_topk_prob": False,
    "scoring_func": "softmax",
    "max_position_embeddings": 163_840,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000,
    "rope_scaling": V2_YARN,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "bos_token_id": 100_000,
    "eos_token_id": 100_001,
}
V2_LITE = V2 | {
    "hidden_size": 2048,
    "intermediate_size": 10_944,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "n_routed_experts": 64,
    "routed_scaling_factor": 1.0,
    "q_lora_rank": None,
    "topk_method": "greedy",
    "n_group": 1,
    "topk_group": 1,
}
V3 = V2 | {
    "model_type": "deepseek_v3",
    "vocab_size": 129_280,
    "hidden_size": 7168,
    "intermediate_size": 18_432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "n_shared_experts": 1,
    "n_routed_experts": 256,
    "num_experts_per_tok": 8,
    "routed_scaling_factor": 2.5,
    "topk_method": "noaux_tc",
    "n_group": 8,
    "topk_group": 4,
    "first_k_dense_replace": 3,
    "norm_topk_prob": True,
    "scoring_func": "sigmoid",
    "rope_scaling": V2_YARN | {"mscale": 1.0, "mscale_all_dim": 1.0},
    "bos_token_id": 0,
    "eos_token_id": 1,
}
ONE_GROUP = {"n_group": 1, "topk_group": 1}
KIMI_K2 = V3 | {
    "model_type": "kimi_k2",
    "vocab_size": 163_840,
    "num_attention_heads": 64,
    "n_routed_experts": 384,
    "routed_scaling_factor": 2.827,
    "first_k_dense_replace": 1,
    "rope_theta": 50_000.0,
    "rope_scaling": V2_YARN | {"beta_fast": 1.0, "factor": 32.0, "mscale": 1.0, "mscale_all_dim": 1.0},
    "max_position_embeddings": 131_072,
    "bos_token_id": 163_584,
    "eos_token_id": 163_585,
    **ONE_GROUP,
}
MOONLIGHT = V3 | {
    "vocab_size": 163_840,
    "hidden_size": 2048,
    "intermediate_size": 11_264,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "n_shared_experts": 2,
    "n_routed_experts": 64,
    "num_experts_per_tok": 6,
    "q_lora_rank": None,
    "first_k_dense_replace": 1,
    "routed_scaling_factor": 2.446,
    "rope_theta": 50_000.0,
    "rope_scaling": None,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 163_584,
    "eos_token_id": 163_586,
    **ONE_GROUP,
}
# Of these the defaults of the config class are the released model's sizes.
BY_DEFAULT: list[dict[str, Any]] = [
    {"model_type": name}
    for name in ("glm4_moe_lite", "axk1", "minicpm3", "mistral4", "longcat_flash", "youtu", "glm_moe_dsa")
]
RELEASED = [V2_LITE, V2, V3, KIMI_K2, MOONLIGHT, V3 | {"model_type": "deepseek_v32"}, *BY_DEFAULT]
BILLIONS = [
    (15.706, 2.45),
    (235.741, 20.85),
    (671.026, 36.63),
    (1026.41, 31.69),
    (15.960, 2.58),
    (671.026, 36.63),
    (29.943, 3.58),
    (518.983, 31.60),
    (4.074, 4.07),
    (118.973, 6.10),
    (560.665, 31.38),
    (1.962, 1.96),
    (743.180, 40.10),
]
KV_BYTES = [31_104, 69_120, 70_272, 70_272, 31_104, 70_272, 54_144, 70_272, 35_712, 23_040, 64_512, 36_864, 89_856]


def config(values: dict[str, Any]) -> ModelConfig:
    return parse_config(values, Path("config.json")).config


@pytest.mark.parametrize(("values", "billions"), list(zip(RELEASED, BILLIONS, strict=True)))
def test_parameters_are_those_published(values: dict[str, Any], billions: tuple[float, float]) -> None:
    assert parameters_total(config(values)) / 1e9 == pytest.approx(
        billions[0], abs=5e-3 if billions[0] > 1000 else 6e-4
    )
    assert parameters_active(config(values)) / 1e9 == pytest.approx(billions[1], abs=6e-3)


@pytest.mark.parametrize(("values", "kv_bytes"), list(zip(RELEASED, KV_BYTES, strict=True)))
def test_kv_bytes_per_token_in_bf16_are_those_published(values: dict[str, Any], kv_bytes: int) -> None:
    assert kv_bytes_per_token(config(values), 2)["mla"] == kv_bytes


def test_longcat_caches_two_attentions_a_layer() -> None:
    longcat = config({"model_type": "longcat_flash"})
    assert longcat.layers == 56
    assert longcat.moe_layers == tuple(range(0, 56, 2))


@pytest.mark.parametrize(
    ("values", "scale"), [(V2, 0.11472139), (V2_LITE, 0.11472139), (V3, 0.13523378), (KIMI_K2, 0.13086080)]
)
def test_softmax_scales_are_those_published(values: dict[str, Any], scale: float) -> None:
    assert softmax_scale(config(values)) == pytest.approx(scale, abs=5e-9)


def test_released_configs_need_no_note_but_where_codebases_disagree() -> None:
    assert parse_config(V2_LITE, Path("config.json")).notes == []
    assert parse_config(V3, Path("config.json")).notes == []
    assert parse_config(KIMI_K2, Path("config.json")).notes == []
    (groups,) = parse_config(V2, Path("config.json")).notes
    assert "Expert groups count by their best expert" in groups
    (epsilon,) = parse_config(MOONLIGHT, Path("config.json")).notes
    assert "1e-6" in epsilon
    assert "rms_norm_eps = 1e-05" in epsilon
