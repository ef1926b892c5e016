"""The comparison with transformers would notice each of these mistakes: none of them hides in the noise."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from model.config import ModelConfig
from model.network.decoder import Decoder
from tests.parity.cases import Both, Case, run_both
from tests.parity.tiny import yarn


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
