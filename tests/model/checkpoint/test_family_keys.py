"""What each family's `config.json` and tensor names mean: defaults of transformers, options, notes, refusals."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.checkpoint.families import (
    axk1,
    deepseek_v2,
    deepseek_v3,
    deepseek_v32,
    glm4_moe_lite,
    glm_moe_dsa,
    longcat_flash,
    minicpm3,
    mistral4,
    text_part,
    youtu,
)
from model.checkpoint.families.table import FAMILIES, Parsed, parse_config
from model.config import LongRopeConfig, QueryTemperature
from model.problems import Problem
from tests.parity.families import ORACLES, Family, longrope

DEFAULTS: dict[Family, dict[str, object]] = {
    "v2": deepseek_v2.DEFAULTS,
    "v3": deepseek_v3.DEFAULTS,
    "glm4_moe_lite": glm4_moe_lite.DEFAULTS,
    "youtu": youtu.DEFAULTS,
    "axk1": axk1.DEFAULTS,
    "minicpm3": minicpm3.DEFAULTS,
    "mistral4": mistral4.DEFAULTS,
    "longcat_flash": longcat_flash.DEFAULTS,
    "deepseek_v32": deepseek_v32.DEFAULTS,
    "glm_moe_dsa": glm_moe_dsa.DEFAULTS,
}
NEEDED: dict[str, dict[str, Any]] = {"v2": {"num_experts_per_tok": 6}}
K25 = {"model_type": "kimi_k25", "text_config": {"model_type": "kimi_k2", "num_hidden_layers": 4, "rms_norm_eps": 1e-5}}


def parsed(model_type: str, /, **keys: object) -> Parsed:
    return parse_config({"model_type": model_type, **keys}, Path("config.json"))


@pytest.mark.parametrize("family", DEFAULTS)
def test_defaults_are_those_of_transformers(family: Family) -> None:
    theirs = ORACLES[family].config(**NEEDED.get(family, {}))
    ours = {"default_theta" if key == "rope_theta" else key: value for key, value in DEFAULTS[family].items()}
    assert ours == {key: getattr(theirs, key) for key in ours}


@pytest.mark.parametrize("family", DEFAULTS)
def test_a_config_without_any_key_is_transformers_default_model(family: Family) -> None:
    theirs = ORACLES[family].config(**NEEDED.get(family, {}))
    empty = parse_config({"model_type": theirs.model_type, **NEEDED.get(family, {})}, Path("config.json"))
    full = parse_config(theirs.to_dict(), Path("config.json"))
    chosen = {"bos_token_id": full.config.bos_token_id, "eos_token_ids": full.config.eos_token_ids}
    assert {name: getattr(empty.config, name) for name in empty.config.__slots__} | chosen == {
        name: getattr(full.config, name) for name in full.config.__slots__
    }
    assert any("config.json lacks" in note for note in empty.notes)
    assert not any("config.json lacks" in note for note in full.notes)


def test_the_first_layer_is_dense_unless_glm_lists_it() -> None:
    assert parsed("glm4_moe_lite", num_hidden_layers=3, first_k_dense_replace=2).config.moe_layers == (1, 2)
    listed = parsed("glm4_moe_lite", num_hidden_layers=3, mlp_layer_types=["sparse", "dense", "sparse"])
    assert listed.config.moe_layers == (0, 2)


def test_axk1_has_experts_in_every_so_many_layers() -> None:
    every = parsed("axk1", num_hidden_layers=7, first_k_dense_replace=2, moe_layer_freq=3)
    assert every.config.moe_layers == (3, 6)
    assert every.config.moe_norm
    assert not any("moe_layer_freq" in note for note in every.notes)
    kinds = ["dense"] * 6 + ["sparse"]
    assert parsed("axk1", num_hidden_layers=7, mlp_layer_types=kinds, moe_layer_freq=3).config.moe_layers == (6,)


def test_axk1_without_stored_bias_chooses_by_plain_scores() -> None:
    config, _, _, _, settle = parsed("axk1", num_hidden_layers=3)
    bias = "model.layers.1.mlp.gate.e_score_correction_bias"
    assert settle(config, {bias}) == config
    plain = settle(config, set()).router
    assert plain is not None
    assert (plain.method, plain.scoring, plain.biased) == ("group_limited_top2", "sigmoid", False)


def test_minicpm3_scales_embeddings_branches_and_head() -> None:
    config = parsed("minicpm3").config
    assert config.embedding_scale == 12
    assert config.residual_scale == pytest.approx(1.4 / 62**0.5)
    assert config.logit_scale == pytest.approx(256 / 2560)
    assert config.v_head_dim == 64
    assert not config.rope.interleaved
    none = parsed("minicpm3", scale_depth=None, dim_model_base=None).config
    assert (none.residual_scale, none.logit_scale) == (1.0, 1.0)


def test_longrope_has_two_sets_of_divisors_and_an_amplitude() -> None:
    scaling = longrope(64) | {"type": "longrope"}
    rope = parsed("minicpm3", qk_rope_head_dim=8, max_position_embeddings=256, rope_scaling=scaling).config.rope
    short, long = (1.0, 1.5, 2.0, 1.2), (3.0, 9.0, 1.7, 25.0)
    assert rope.longrope == LongRopeConfig(short, long, 64, math.sqrt(1 + math.log(4) / math.log(64)))
    given = parsed("minicpm3", qk_rope_head_dim=8, rope_scaling=scaling | {"attention_factor": 1.5}).config.rope
    assert given.longrope is not None
    assert given.longrope.attention_factor == 1.5
    # The released MiniCPM3-4B: as long after scaling as before.
    same = parsed("minicpm3", qk_rope_head_dim=8, rope_scaling=scaling | {"original_max_position_embeddings": 32_768})
    assert same.config.rope.longrope is not None
    assert same.config.rope.longrope.attention_factor == 1.0


@pytest.mark.parametrize(
    "wrong", [[1.0, 2.0], "short", None, [1.0, 2.0, 0.0, 1.0], [1.0, 2.0, float("nan"), 1.0], [1, 2, 3, True]]
)
def test_longrope_with_nonsense_for_divisors_is_refused(wrong: object) -> None:
    with pytest.raises(Problem, match="short_factor"):
        parsed("minicpm3", qk_rope_head_dim=8, rope_scaling=longrope() | {"short_factor": wrong})


def test_mistral4_queries_grow_and_its_rotary_share_may_be_told() -> None:
    config = parsed("mistral4").config
    assert config.query_temperature == QueryTemperature(0.1, 8192)
    assert config.router is not None
    assert (config.router.method, config.router.model_dtype_logits) == ("group_limited_top2", True)
    scaling = {"rope_type": "default", "rope_theta": 1e6}
    assert parsed("mistral4", rope_parameters=scaling | {"partial_rotary_factor": 0.5}).config.rope.theta == 1e6
    assert parsed("mistral4", rope_parameters=scaling).config.query_temperature is None
    with pytest.raises(Problem, match="partial_rotary_factor"):
        parsed("mistral4", rope_parameters=scaling | {"partial_rotary_factor": 0.25})


def test_longcat_layers_are_two_blocks() -> None:
    config = parsed("longcat_flash", num_layers=3).config
    assert (config.layers, config.moe_layers, config.shortcut_moe) == (6, (0, 2, 4), True)
    assert config.query_scale == pytest.approx(2.0)
    assert config.c_kv_scale == pytest.approx(12**0.5)
    assert config.router is not None
    assert (config.router.experts, config.router.stored_experts) == (768, 512)
    assert parsed("longcat_flash", num_hidden_layers=6).config.layers == 6
    told = parsed("longcat_flash", mla_scale_q_lora=False, router_bias=True).notes
    assert sum("has no effect" in note for note in told) == 2
    with pytest.raises(Problem, match="zero_expert_type"):
        parsed("longcat_flash", zero_expert_type="drop")


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("model.layers.3.self_attn.1.q_b_proj.weight", "model.layers.7.self_attn.q_b_proj.weight"),
        ("model.layers.3.mlps.0.up_proj.weight", "model.layers.6.mlp.up_proj.weight"),
        ("model.layers.3.input_layernorm.1.weight", "model.layers.7.input_layernorm.weight"),
        ("model.layers.3.post_attention_layernorm.0.weight", "model.layers.6.post_attention_layernorm.weight"),
        ("model.layers.3.mlp.router.classifier.weight", "model.layers.6.mlp.gate.weight"),
        ("model.layers.3.mlp.router.e_score_correction_bias", "model.layers.6.mlp.gate.e_score_correction_bias"),
        ("model.layers.3.mlp.experts.11.up_proj.weight", "model.layers.6.mlp.experts.11.up_proj.weight"),
        ("model.layers.3.mlp.router.classifier.bias", None),
        ("model.mtp.layers.0.eh_proj.weight", None),
        ("lm_head.weight", "lm_head.weight"),
    ],
)
def test_longcat_names_become_names_of_blocks(stored: str, name: str | None) -> None:
    assert longcat_flash.canonical(stored) == name


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("language_model.model.layers.1.mlp.gate.weight", "model.layers.1.mlp.gate.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("model.language_model.norm.weight", "model.norm.weight"),
        ("language_model.model.blocks.1.mlp.gate.weight", "model.layers.1.mlp.gate.weight"),
        ("vision_tower.encoder.blocks.0.wo.weight", None),
        ("mm_projector.proj.0.weight", None),
        ("model.vision_tower.patch_embed.proj.weight", None),
        ("multi_modal_projector.linear_1.weight", None),
    ],
)
def test_names_of_a_text_part_lose_their_prefix(stored: str, name: str | None) -> None:
    assert text_part.canonical(stored) == name


def test_kimi_k25_is_its_text_part() -> None:
    whole = K25 | {"eos_token_id": 7, "vision_config": {"hidden_size": 3}}
    config, dtype, notes, *_ = parse_config(whole | {"torch_dtype": "bfloat16"}, Path("config.json"))
    assert (config.model_type, config.layers, config.rms_norm_eps) == ("kimi_k25", 4, 1e-5)
    assert (config.eos_token_ids, dtype) == ((7,), "bfloat16")
    assert any("Only the text part" in note for note in notes)


@pytest.mark.parametrize(
    ("model_type", "text"),
    [
        ("kimi_k25", None),
        ("kimi_k25", "kimi_k2"),
        ("kimi_k25", {"model_type": "kimi_linear"}),
        ("mistral3", {"model_type": "mistral"}),
        ("mistral3", {}),
    ],
)
def test_another_text_part_is_refused(model_type: str, text: object) -> None:
    with pytest.raises(Problem, match="text_config"):
        parse_config({"model_type": model_type, "text_config": text}, Path("config.json"))


@pytest.mark.parametrize("family", ["deepseek_v32", "glm_moe_dsa"])
def test_an_indexer_limits_how_long_the_model_is_dense(family: str) -> None:
    answer = parsed(family, index_topk=512, indexer_types=["full", "shared"], index_topk_freq=4)
    assert answer.config.dense_attention_tokens == 512
    assert any("index_topk = 512" in note for note in answer.notes)
    assert answer.canonical("model.layers.0.self_attn.indexer.wk.weight") is None
    assert answer.canonical("model.layers.0.self_attn.o_proj.weight") == "model.layers.0.self_attn.o_proj.weight"
    assert (
        parsed(family, num_experts=16, n_group=1).config.router
        == parsed(family, n_routed_experts=16, n_group=1).config.router
    )


@pytest.mark.parametrize("family", ["axk1", "longcat_flash", "deepseek_v32", "glm_moe_dsa"])
def test_families_with_a_query_lora_refuse_none(family: str) -> None:
    with pytest.raises(Problem, match="q_lora_rank"):
        parsed(family, q_lora_rank=None)


@pytest.mark.parametrize("unknown", ["llama", "kimi_linear", "axk2", None, 3, ["deepseek_v3"]])
def test_an_unknown_model_type_is_refused_by_name_with_all_that_is_supported(unknown: object) -> None:
    with pytest.raises(Problem) as refusal:
        parse_config({"model_type": unknown}, Path("config.json"))
    assert ascii(unknown) in str(refusal.value)
    assert all(name in str(refusal.value) for name in FAMILIES)


def test_a_refused_relative_says_what_it_does_besides() -> None:
    with pytest.raises(Problem, match=r"kimi_linear.*linear attention layers are not modelled yet"):
        parsed("kimi_linear")


@pytest.mark.parametrize(("key", "value"), [("gated_norm_rank", 16), ("hc_mult", 4), ("linear_attn_config", {"a": 1})])
@pytest.mark.parametrize("family", ["glm_moe_dsa", "deepseek_v3", "axk1"])
def test_a_key_that_tells_of_other_mathematics_is_refused_by_name(family: str, key: str, value: object) -> None:
    with pytest.raises(Problem, match=key):
        parsed(family, **{key: value})
    assert parsed(family, **{key: None}).config == parsed(family).config


def test_what_codebases_disagree_on_is_told_where_it_matters() -> None:
    def told(model_type: str, phrase: str, **keys: object) -> bool:
        return any(phrase in note and "transformers" in note for note in parsed(model_type, **keys).notes)

    assert told("deepseek_v2", "norm_topk_prob", norm_topk_prob=True, num_experts_per_tok=2)
    assert told("deepseek_v3", "norm_topk_prob", norm_topk_prob=False)
    assert told("deepseek_v3", "rms_norm_eps", rms_norm_eps=1e-5)
    assert not told("deepseek_v3", "rms_norm_eps", rms_norm_eps=1e-6)
    assert told("deepseek_v3", "moe_layer_freq", moe_layer_freq=2)
    assert told("deepseek_v3", "scoring_func", scoring_func="softmax")
    assert told("deepseek_v3", "mscale", rope_scaling={"type": "yarn", "factor": 4.0, "mscale": 0.7})
    groups = {"topk_method": "group_limited_greedy", "n_group": 8, "topk_group": 3, "num_experts_per_tok": 2}
    assert told("deepseek_v2", "llama.cpp", **groups)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner), max_leaves=4
)
ROPE = {"rope_type", "type", "rope_theta", "factor", "beta_fast", "mscale", "mscale_all_dim", "attention_factor"}
ROPE |= {"short_factor", "long_factor", "original_max_position_embeddings", "llama_4_scaling_beta", "truncate"}
KINDS = st.sampled_from(["default", "yarn", "longrope"])
MORE = {
    "rope_theta",
    "rope_scaling",
    "mlp_layer_types",
    "moe_layer_freq",
    "norm_topk_prob",
    "eos_token_id",
    "text_config",
}
MORE |= {"original_max_position_embeddings", "partial_rotary_factor", "num_experts", "scale_depth", "dim_model_base"}


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_value_of_any_key_is_read_or_refused(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(sorted(DEFAULTS)))
    known = sorted(DEFAULTS[family].keys() | MORE)
    changes = data.draw(st.dictionaries(st.sampled_from(known), ANYTHING, max_size=2))
    scaling = data.draw(st.dictionaries(st.sampled_from(sorted(ROPE)), ANYTHING, max_size=2))
    name = "deepseek_" + family if family in ("v2", "v3") else family
    sizes = {"num_experts_per_tok": 2, "rope_scaling": {"rope_type": data.draw(KINDS), "factor": 4.0} | scaling}
    with suppress(Problem):
        parsed(name, **sizes | changes)
