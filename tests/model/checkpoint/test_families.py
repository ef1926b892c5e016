"""What `config.json` means, in both key styles, with the defaults that transformers has."""

from pathlib import Path
from typing import Any

import pytest

from model.checkpoint.families.table import Parsed, parse_config
from model.config import ModelConfig, YarnConfig
from tests.model.checkpoint.sample import CONFIG

V3 = {key: value for key, value in CONFIG.items() if key != "topk_method"} | {"model_type": "deepseek_v3"}
SCALING = {"factor": 40, "original_max_position_embeddings": 64, "mscale": 0.707, "mscale_all_dim": 0.707}


def parsed(base: dict[str, Any] = CONFIG, /, **changes: object) -> Parsed:
    return parse_config(base | changes, Path("config.json"))


def config(base: dict[str, Any] = CONFIG, /, **changes: object) -> ModelConfig:
    return parsed(base, **changes).config


def test_old_and_new_keys_mean_the_same() -> None:
    old = config(rope_theta=5e4, rope_scaling=SCALING | {"type": "yarn"}, torch_dtype="bfloat16")
    without = {key: value for key, value in CONFIG.items() if key not in ("rope_theta", "rope_scaling", "torch_dtype")}
    new = config(without, rope_parameters=SCALING | {"rope_type": "yarn", "rope_theta": 5e4}, dtype="bfloat16")
    assert old == new
    assert old.rope.theta == 5e4
    assert old.rope.yarn == YarnConfig(40.0, 64, mscale=0.707, mscale_all_dim=0.707)


@pytest.mark.parametrize("kind", ["yarn", "deepseek_yarn"])
def test_yarn_goes_by_two_names(kind: str) -> None:
    assert config(rope_scaling=SCALING | {"type": kind}).rope.yarn is not None


@pytest.mark.parametrize("scaling", [None, {}, {"type": "default"}, {"rope_type": "default"}])
def test_no_scaling_is_plain_rope(scaling: object) -> None:
    assert config(rope_scaling=scaling).rope.yarn is None


def test_yarn_takes_its_defaults_from_the_config() -> None:
    bare = config(rope_scaling={"type": "yarn", "factor": 4.0, "beta_fast": 0, "mscale": 0}).rope.yarn
    assert bare == YarnConfig(4.0, 128)
    derived = config(rope_scaling={"type": "yarn", "factor": None, "original_max_position_embeddings": 32}).rope.yarn
    assert derived == YarnConfig(4.0, 32)
    assert config(rope_scaling=SCALING | {"type": "yarn", "truncate": False}).rope.yarn == YarnConfig(
        40.0, 64, mscale=0.707, mscale_all_dim=0.707, truncate=False
    )


@pytest.mark.parametrize("rank", [None, 0])
def test_no_query_lora_is_null_or_zero(rank: int | None) -> None:
    assert config(q_lora_rank=rank).q_lora_rank is None
    assert config(q_lora_rank=rank).query_source_width == 16


def test_v2_ignores_norm_topk_prob_and_says_so() -> None:
    answer = parsed(norm_topk_prob=True)
    assert answer.config.router is not None
    assert not answer.config.router.normalise
    assert any("norm_topk_prob" in note for note in answer.notes)
    assert not any("norm_topk_prob" in note for note in parsed(norm_topk_prob=False).notes)


def test_v3_is_always_sigmoid_with_a_bias_and_says_so() -> None:
    answer = parsed(V3, scoring_func="softmax", topk_method="greedy")
    router = answer.config.router
    assert router is not None
    assert (router.method, router.scoring, router.normalise) == ("noaux_tc", "sigmoid", True)
    assert sum("has no effect in this family" in note for note in answer.notes) == 2
    assert config(V3, norm_topk_prob=False).router != router


def test_v3_rope_is_interleaved_unless_the_config_says_no() -> None:
    assert config(V3).rope.interleaved
    assert not config(V3, rope_interleave=False).rope.interleaved
    assert config(rope_interleave=False).rope.interleaved  # a key the older family does not have


def test_kimi_k2_is_v3_by_another_name() -> None:
    kimi = config(V3, model_type="kimi_k2")
    assert (kimi.family, kimi.model_type) == ("DeepSeek-V3", "kimi_k2")
    assert kimi.router == config(V3).router


def test_layers_with_experts_follow_the_first_dense_ones_or_a_list() -> None:
    assert config(num_hidden_layers=4, first_k_dense_replace=2).moe_layers == (2, 3)
    kinds = ["dense", "sparse", "dense", "sparse"]
    glm = V3 | {"model_type": "glm4_moe_lite", "num_hidden_layers": 4, "first_k_dense_replace": 0}
    assert config(glm, mlp_layer_types=kinds).moe_layers == (1, 3)
    assert config(glm).moe_layers == (1, 2, 3)
    assert any("first_k_dense_replace" in note for note in parsed(glm).notes)


def test_a_key_that_only_another_family_has_changes_nothing_and_is_told() -> None:
    every_other = parsed(moe_layer_freq=2, mlp_layer_types=["dense", "dense"])
    assert every_other.config == config()
    assert sum("every layer behind the dense ones" in note for note in every_other.notes) == 2


@pytest.mark.parametrize("changes", [{"first_k_dense_replace": 2}, {"n_routed_experts": None}, {"n_routed_experts": 0}])
def test_a_model_without_experts_has_no_router(changes: dict[str, object]) -> None:
    dense = config(**changes)
    assert dense.moe_layers == ()
    assert dense.router is None


@pytest.mark.parametrize(("value", "ids"), [(None, ()), (5, (5,)), ([5, 7], (5, 7)), ([5, 10**6, -1], (5,))])
def test_end_tokens_are_one_or_many_or_none(value: object, ids: tuple[int, ...]) -> None:
    assert config(eos_token_id=value).eos_token_ids == ids


def test_no_end_token_given_means_never() -> None:
    assert config({key: value for key, value in CONFIG.items() if key != "eos_token_id"}).eos_token_ids == ()


@pytest.mark.parametrize("key", ["auto_map", "_attn_implementation_internal"])
def test_code_named_in_a_config_is_ignored_and_told(key: str) -> None:
    answer = parsed(**{key: {"AutoModel": "evil.py"}})
    assert answer.config == config()
    assert any(key in note for note in answer.notes)


@pytest.mark.parametrize(
    ("name", "dtype"), [("bfloat16", "bfloat16"), ("torch.float16", "float16"), (None, None), ("int8", None)]
)
def test_the_named_dtype_is_one_of_three(name: str | None, dtype: str | None) -> None:
    assert parsed(torch_dtype=name).dtype == dtype
