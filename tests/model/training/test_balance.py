import pytest
import torch

from model.training.balance import balance, corrected

SCORES_TE = torch.tensor(
    [
        [0.31, 0.11, 0.04, 0.06, 0.21, 0.13, 0.05, 0.09],
        [0.07, 0.39, 0.03, 0.12, 0.14, 0.10, 0.08, 0.07],
        [0.10, 0.02, 0.34, 0.17, 0.05, 0.06, 0.15, 0.11],
        [0.26, 0.24, 0.01, 0.09, 0.12, 0.08, 0.13, 0.07],
        [0.02, 0.03, 0.06, 0.11, 0.10, 0.38, 0.20, 0.10],
        [0.29, 0.22, 0.09, 0.14, 0.04, 0.03, 0.12, 0.07],
    ]
)
IDS_TA = torch.tensor([[0, 4], [1, 4], [2, 3], [0, 1], [5, 6], [0, 1]])


def test_losses_of_a_hand_checked_sequence():
    """Six tokens, eight experts, two each, on four devices of two."""
    terms = balance(SCORES_TE, IDS_TA, devices=4, devices_per_token=2)
    assert float(terms.expert) * 0.003 == pytest.approx(0.00342333, abs=1e-8)
    assert float(terms.device) * 0.05 == pytest.approx(0.05677778, abs=1e-8)
    assert float(terms.communication) * 0.02 == pytest.approx(0.01673333, abs=1e-8)


def test_even_load_costs_one():
    scores_TE = torch.full((4, 8), 1 / 8)
    ids_TA = torch.tensor([[0, 2], [4, 6], [1, 3], [5, 7]])
    assert [float(term) for term in balance(scores_TE, ids_TA, devices=4, devices_per_token=2)] == [1, 1, 1]


def test_gradient_pushes_affinity_away_from_the_crowded_expert():
    scores_TE = SCORES_TE.clone().requires_grad_()
    balance(scores_TE, IDS_TA, devices=4, devices_per_token=2).expert.backward()
    assert scores_TE.grad is not None
    assert scores_TE.grad[0, 0] > scores_TE.grad[0, 7]


def test_the_correction_bias_moves_towards_the_idle_and_away_from_the_crowded():
    bias_E = torch.tensor([0.5, 0.0, -0.5, 0.0])
    moved_E = corrected(bias_E, torch.tensor([9, 2, 4, 5]), speed=0.001)
    assert torch.allclose(moved_E - bias_E, torch.tensor([-0.001, 0.001, 0.001, 0.0]))
