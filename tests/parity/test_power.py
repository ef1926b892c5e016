"""The comparison with transformers would notice each of these mistakes: none of them hides in the noise."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch

from model.config import ModelConfig
from model.network.decoder import Decoder
from model.network.weights import FeedForward, Linear
from tests.parity.cases import Both, Case, run_both
from tests.parity.families import Family, yarn
from tests.parity.families import longrope as long_scaling


def router(config: ModelConfig, **changes: object) -> ModelConfig:
    assert config.router is not None
    return replace(config, router=replace(config.router, **changes))


def rope(config: ModelConfig, **changes: object) -> ModelConfig:
    return replace(config, rope=replace(config.rope, **changes))


MISTAKES: dict[str, Callable[[ModelConfig], ModelConfig]] = {
    "half-split rotation": lambda config: rope(config, interleaved=False),
    "no YaRN": lambda config: rope(config, yarn=None),
    "another base": lambda config: rope(config, theta=20_000.0),
    "mscale_all_dim ignored": lambda config: rope(config, yarn=replace(config.rope.yarn, mscale_all_dim=None)),
    "scaling factor ignored": lambda config: router(config, scaling_factor=1.0),
    "weights not normalised": lambda config: router(config, normalise=False),
    "groups ignored": lambda config: router(config, groups=1, groups_per_token=1),
    "group score of the other family": lambda config: router(config, method="group_limited_greedy"),
    "softmax instead of sigmoid": lambda config: router(config, scoring="softmax"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    overrides = {"rope_parameters": yarn(mscale=1.0, mscale_all_dim=1.0), "attention_bias": True}
    return run_both(Case("v3", overrides), tmp_path_factory.mktemp("checkpoint"))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_mathematics_shows(both: Both, mistake: str) -> None:
    wrong = Decoder(MISTAKES[mistake](both.decoder.config), both.decoder.weights)
    logits_TV = wrong.step(both.ids_T, wrong.new_cache(), logits="all")
    assert (logits_TV - both.logits_TV).abs().max() > 0.05


def without_zero_experts(both: Both) -> Decoder:
    """Zero experts answer nothing instead of what they get."""
    weights = both.decoder.weights
    nothing = Linear(torch.zeros(1, 64)), Linear(torch.zeros(1, 64)), Linear(torch.zeros(64, 1))
    layers = [
        layer
        if layer.moe is None
        else replace(layer, moe=replace(layer.moe, experts=(*held, *[FeedForward(*nothing)] * 4)))
        for layer in weights.layers
        for held in [() if layer.moe is None else tuple(layer.moe.experts[number] for number in range(8))]
    ]
    return Decoder(both.decoder.config, replace(weights, layers=tuple(layers)))


def longrope(config: ModelConfig, **changes: object) -> ModelConfig:
    assert config.rope.longrope is not None
    return rope(config, longrope=replace(config.rope.longrope, **changes))


OF_OPTIONS: dict[str, tuple[str, Callable[[ModelConfig], ModelConfig]]] = {
    "embeddings not scaled": ("minicpm3", lambda config: replace(config, embedding_scale=1.0)),
    "branches not scaled": ("minicpm3", lambda config: replace(config, residual_scale=1.0)),
    "head not scaled": ("minicpm3", lambda config: replace(config, logit_scale=1.0)),
    "interleaved rotation": ("minicpm3", lambda config: rope(config, interleaved=True)),
    "no LongRoPE": ("minicpm3", lambda config: rope(config, longrope=None)),
    "short factors beyond the original length": (
        "minicpm3",
        lambda config: longrope(config, original_max_position_embeddings=96),
    ),
    "no LongRoPE amplitude": ("minicpm3", lambda config: longrope(config, attention_factor=1.0)),
    "queries of one temperature": ("mistral4", lambda config: replace(config, query_temperature=None)),
    "groups by their best expert": ("mistral4", lambda config: router(config, method="group_limited_greedy")),
    "groups of Mistral 4 ignored": ("mistral4", lambda config: router(config, method="greedy")),
    "queries not scaled": ("longcat_flash", lambda config: replace(config, query_scale=1.0)),
    "c_kv not scaled": ("longcat_flash", lambda config: replace(config, c_kv_scale=1.0)),
    "experts join at once": ("longcat_flash", lambda config: replace(config, shortcut_moe=False)),
    "sigmoid instead of softmax": ("longcat_flash", lambda config: router(config, scoring="sigmoid")),
}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Both]:
    @cache
    def run(family: Family) -> Both:
        overrides = {"rope_parameters": long_scaling()} if family == "minicpm3" else {}
        return run_both(Case(family, overrides), tmp_path_factory.mktemp("checkpoint"))

    return run


@pytest.mark.parametrize("mistake", OF_OPTIONS)
def test_a_mistake_in_an_option_shows(others: Callable[[Family], Both], mistake: str) -> None:
    family, change = OF_OPTIONS[mistake]
    both = others(family)
    wrong = Decoder(change(both.decoder.config), both.decoder.weights)
    assert difference(wrong, both) > 0.05


def test_zero_experts_that_answer_nothing_show(others: Callable[[Family], Both]) -> None:
    both = others("longcat_flash")
    assert (both.probe.expert_ids >= 8).any()
    assert difference(without_zero_experts(both), both) > 0.05


def test_a_forgotten_norm_on_the_experts_answer_shows(others: Callable[[Family], Both]) -> None:
    both = others("axk1")
    layers = tuple(replace(layer, moe_norm=None) for layer in both.decoder.weights.layers)
    assert difference(Decoder(both.decoder.config, replace(both.decoder.weights, layers=layers)), both) > 0.05


def difference(wrong: Decoder, both: Both) -> float:
    """The largest change of a logit, as a share of the largest logit."""
    logits_TV = wrong.step(both.ids_T, wrong.new_cache(), logits="all")
    return float((logits_TV - both.logits_TV).abs().max() / both.logits_TV.abs().max())


@pytest.mark.parametrize("forgotten", ["e_score_correction_bias", "kv_a_layernorm", "q_a_layernorm", "o_proj.bias"])
def test_a_forgotten_tensor_shows(both: Both, forgotten: str) -> None:
    with torch.no_grad():
        tensors = both.theirs.state_dict()
        kept = {name: tensor.clone() for name, tensor in tensors.items() if forgotten in name}
        assert kept
        for name in kept:
            tensors[name].fill_(1.0 if "norm" in name else 0.0)
        logits_TV = both.theirs(both.ids_T[None]).logits[0]
        for name, tensor in kept.items():
            tensors[name].copy_(tensor)
    assert (logits_TV - both.logits_TV).abs().max() > 0.05
