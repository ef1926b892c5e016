"""Routing by the published example, ties, and the sum of the chosen experts' answers."""

from dataclasses import replace

import pytest
import torch

from model.config import RouterConfig
from model.network.moe import Routing, mix, route
from model.network.weights import FeedForward, Linear, MoeWeights
from tests.model.network.tiny import tiny_decoder

# Logits of one token for 8 experts in 4 groups; the gate passes them through unchanged.
LOGITS = torch.tensor([[2, 1, 1.45, -0.5, 1.5, 1.4, -1, 0]])
BIAS = torch.tensor([-0.30, 0.10, 0, 0, 0.05, -0.20, 0.40, 0])


def decide(router: RouterConfig, *, bias: torch.Tensor | None = None, logits: torch.Tensor = LOGITS):
    return route(logits, MoeWeights(torch.eye(logits.shape[1]), bias, (), None), router)


def test_greedy_takes_the_largest_probabilities() -> None:
    routing = decide(RouterConfig("greedy", "softmax", 8, 3))
    assert routing.ids_TA.tolist() == [[0, 4, 2]]
    assert routing.weights_TA[0].tolist() == pytest.approx([0.296967, 0.180120, 0.171335], abs=1e-6)
    assert routing.scores_TE[0].tolist()[:3] == pytest.approx([0.296966881, 0.109248012, 0.171334997], abs=1e-8)
    assert float(routing.margin_T) == pytest.approx(0.171334997 - 0.162978873, abs=1e-7)


def test_weights_are_normalised_then_scaled() -> None:
    routing = decide(RouterConfig("greedy", "softmax", 8, 3, normalise=True, scaling_factor=2.0))
    assert routing.weights_TA[0].tolist() == pytest.approx([0.915968, 0.555564, 0.528468], abs=1e-6)


def test_a_group_of_v2_counts_by_its_best_expert() -> None:
    routing = decide(RouterConfig("group_limited_greedy", "softmax", 8, 3, 4, 2))
    assert routing.ids_TA.tolist() == [[0, 4, 5]]
    assert routing.weights_TA[0].tolist() == pytest.approx([0.296967, 0.180120, 0.162979], abs=1e-6)


def test_a_group_of_v3_counts_by_its_two_best_and_the_bias_only_selects() -> None:
    router = RouterConfig("noaux_tc", "sigmoid", 8, 3, 4, 2, normalise=True, scaling_factor=2.5)
    routing = decide(router, bias=BIAS)
    assert routing.ids_TA.tolist() == [[4, 1, 5]]
    assert routing.weights_TA[0].tolist() == pytest.approx([0.869458, 0.777452, 0.853091], abs=1e-6)


def test_a_group_of_mistral_4_counts_by_its_two_best_without_a_bias() -> None:
    logits = torch.tensor([[2, -5, 1.6, 1.5, 0, 0, 0, 0]])
    assert decide(RouterConfig("group_limited_top2", "softmax", 8, 2, 4, 1), logits=logits).ids_TA.tolist() == [[2, 3]]
    assert decide(RouterConfig("group_limited_greedy", "softmax", 8, 2, 4, 1), logits=logits).ids_TA.tolist() == [
        [0, 1]
    ]


def test_a_strongly_negative_bias_opens_no_forbidden_group() -> None:
    router = RouterConfig("noaux_tc", "sigmoid", 8, 3, 4, 2, normalise=True, scaling_factor=2.5)
    assert decide(router, bias=BIAS - 1.0).ids_TA.tolist() == [[4, 1, 5]]


@pytest.mark.parametrize("method", ["greedy", "group_limited_greedy", "noaux_tc"])
def test_ties_go_to_the_lowest_expert(method) -> None:
    scoring = "sigmoid" if method == "noaux_tc" else "softmax"
    routing = decide(RouterConfig(method, scoring, 8, 3, 4, 2), logits=torch.zeros(5, 8))
    assert routing.ids_TA.tolist() == [[0, 1, 2]] * 5
    assert routing.margin_T.tolist() == [0.0] * 5


def test_no_margin_exists_when_every_expert_is_chosen() -> None:
    assert decide(RouterConfig("greedy", "softmax", 8, 8)).margin_T.tolist() == [float("inf")]


def test_routing_is_decided_in_float32_whatever_the_model_runs_in() -> None:
    routing = decide(RouterConfig("greedy", "softmax", 8, 3), logits=LOGITS.bfloat16())
    assert routing.scores_TE.dtype == routing.weights_TA.dtype == torch.float32


def test_a_router_may_decide_in_the_dtype_of_the_model() -> None:
    router = RouterConfig("greedy", "softmax", 8, 3, model_dtype_logits=True)
    routing = decide(router, logits=LOGITS.bfloat16())
    assert torch.equal(routing.scores_TE, LOGITS.bfloat16().softmax(dim=-1).float())
    assert not torch.equal(routing.scores_TE, decide(replace(router, model_dtype_logits=False)).scores_TE)


def test_zero_experts_give_back_what_they_get() -> None:
    layer = tiny_decoder().weights.layers[1].moe
    assert layer is not None
    weights = MoeWeights(layer.gate_ED, None, tuple(layer.experts[number] for number in range(3)), None)
    x_TD = torch.randn(4, layer.gate_ED.shape[1], generator=torch.Generator().manual_seed(3))
    share = torch.tensor([0.5, 0.25])
    routing = Routing(
        torch.zeros(4, 5), torch.tensor([[0, 3], [4, 3], [2, 1], [4, 0]]), share.expand(4, 2), torch.ones(4)
    )
    one, two = weights.experts[0](x_TD), weights.experts[2](x_TD)
    expected = torch.stack(
        [
            0.5 * one[0] + 0.25 * x_TD[0],
            0.75 * x_TD[1],
            0.5 * two[2] + 0.25 * weights.experts[1](x_TD)[2],
            0.5 * x_TD[3] + 0.25 * one[3],
        ]
    )
    torch.testing.assert_close(mix(x_TD, routing, weights), expected)
    for token in range(4):
        alone = Routing(*(part[token : token + 1] for part in routing))
        torch.testing.assert_close(mix(x_TD[token : token + 1], alone, weights), expected[token : token + 1])


def test_the_answer_is_the_weighted_sum_of_chosen_and_shared_experts() -> None:
    decoder = tiny_decoder()
    weights, router = decoder.weights.layers[1].moe, decoder.config.router
    assert isinstance(weights, MoeWeights)
    assert router is not None
    assert weights.shared is not None
    x_TD = torch.randn(7, 64, generator=torch.Generator().manual_seed(3))
    routing = route(x_TD, weights, router)
    expected = weights.shared(x_TD)
    for token in range(7):
        for expert, weight in zip(routing.ids_TA[token], routing.weights_TA[token], strict=True):
            expected[token] += weight * weights.experts[expert](x_TD[token])
    assert torch.allclose(mix(x_TD, routing, weights), expected, atol=1e-5)
    for token in range(7):
        row = slice(token, token + 1)
        alone = mix(x_TD[row], Routing(*(column[row] for column in routing)), weights)
        assert torch.allclose(alone, expected[row], atol=1e-5)


def test_a_layer_without_shared_experts_answers_with_the_routed_alone() -> None:
    one = FeedForward(*(Linear(torch.eye(4)) for _ in range(3)))
    weights = MoeWeights(torch.zeros(2, 4), None, (one, one), None)
    router = RouterConfig("greedy", "softmax", 2, 2)
    x_TD = torch.ones(3, 4)
    assert torch.allclose(mix(x_TD, route(x_TD, weights, router), weights), one(x_TD))
