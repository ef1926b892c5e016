import numpy as np
import torch

from model.config import RouterConfig
from model.lenses.routing import allowed_groups, coactivation, counts, weight_matrix, weight_sums
from model.network.moe import route
from model.network.weights import MoeWeights

IDS_TMA = np.array([[[0, 4], [3, 1]], [[1, 4], [1, 2]], [[2, 3], [3, 1]]], np.int16)
WEIGHTS_TMA = np.array([[[0.5, 0.25], [1, 2]], [[0.75, 0.5], [3, 4]], [[0.25, 1], [5, 6]]], np.float32)


def test_the_weight_matrix_has_each_weight_at_its_expert_and_zero_elsewhere() -> None:
    matrix = weight_matrix(IDS_TMA[:, 0], WEIGHTS_TMA[:, 0], experts=5)
    assert matrix.tolist() == [[0.5, 0, 0, 0, 0.25], [0, 0.75, 0, 0, 0.5], [0, 0, 0.25, 1, 0]]
    assert matrix.dtype == np.float32


def test_totals_of_layers_count_tokens_and_sum_weights() -> None:
    assert counts(IDS_TMA, experts=5).tolist() == [[1, 1, 1, 1, 2], [0, 3, 1, 2, 0]]
    assert weight_sums(IDS_TMA, WEIGHTS_TMA, experts=5).tolist() == [[0.5, 0.75, 0.25, 1, 0.75], [0, 11, 4, 6, 0]]


def test_totals_of_parts_add_up_and_a_run_without_tokens_has_zeros() -> None:
    parts = counts(IDS_TMA[:1], experts=5) + counts(IDS_TMA[1:], experts=5)
    assert np.array_equal(parts, counts(IDS_TMA, experts=5))
    assert counts(IDS_TMA[:0], experts=5).tolist() == [[0] * 5] * 2
    assert counts(np.empty((4, 0, 0), np.int16), experts=5).shape == (0, 5)


def test_coactivation_counts_pairs_of_the_same_token() -> None:
    pairs = coactivation(IDS_TMA[:, 1], experts=4)
    assert pairs.tolist() == [[0, 0, 0, 0], [0, 3, 1, 2], [0, 1, 1, 0], [0, 2, 0, 2]]


def test_allowed_groups_follow_both_rules_of_the_hand_checked_vector() -> None:
    logits = np.array([[2, 1, 1.45, -0.5, 1.5, 1.4, -1, 0]])
    bias = np.array([-0.30, 0.10, 0, 0, 0.05, -0.20, 0.40, 0], np.float32)
    softmax = (np.exp(logits) / np.exp(logits).sum()).astype(np.float32)
    sigmoid = (1 / (1 + np.exp(-logits))).astype(np.float32)
    limited = RouterConfig("group_limited_greedy", "softmax", 8, 3, 4, 2)
    biased = RouterConfig("noaux_tc", "sigmoid", 8, 3, 4, 2)
    assert allowed_groups(softmax, limited).tolist() == [[True, False, True, False]]
    assert allowed_groups(sigmoid, biased, bias).tolist() == [[True, False, True, False]]
    assert allowed_groups(sigmoid, biased, bias - 1).tolist() == [[True, False, True, False]]
    assert allowed_groups(sigmoid, biased, bias * 10).tolist() == [[False, True, False, True]]
    assert allowed_groups(softmax, RouterConfig("greedy", "softmax", 8, 3, 4, 2)).all()


def test_the_router_never_leaves_the_allowed_groups() -> None:
    generator = torch.Generator().manual_seed(1)
    x_TD, gate_ED = torch.randn(200, 16, generator=generator), torch.randn(24, 16, generator=generator)
    bias_E = torch.randn(24, generator=generator)
    for method, scoring, bias in (
        ("noaux_tc", "sigmoid", bias_E),
        ("group_limited_greedy", "softmax", None),
        ("group_limited_top2", "softmax", None),
    ):
        router = RouterConfig(method, scoring, 24, 4, 6, 2)  # type: ignore[arg-type]
        routing = route(x_TD, MoeWeights(gate_ED, bias, (), None), router)
        allowed = allowed_groups(routing.scores_TE.numpy(), router, None if bias is None else bias.numpy())
        chosen_groups = routing.ids_TA.numpy() // 4
        assert np.take_along_axis(allowed, chosen_groups, axis=1).all()
        assert (allowed.sum(axis=1) == 2).all()
