"""Typical tokens: lift and log-odds on counts made by hand, against the formula written out."""

import math

import numpy as np
import pytest

from model.lenses.typical import PRIOR, lift, log_odds, typical

# Five tokens; an expert that gets 200 of 1,000.
TOTAL = np.array([100, 100, 300, 498, 2])
CHOSEN = np.array([80, 20, 60, 38, 2])


def written_out(y: float, of: float, chosen: float, total: float) -> float:
    """Equations 15, 16, 20 and 22 of Monroe, Colaresi and Quinn for one word."""
    prior = PRIOR * of / total
    z, n, m = of - y, chosen, total - chosen
    delta = math.log((y + prior) / (n + PRIOR - y - prior)) - math.log((z + prior) / (m + PRIOR - z - prior))
    return delta / math.sqrt(1 / (y + prior) + 1 / (z + prior))


def test_log_odds_are_those_of_the_formula():
    expected = [written_out(y, of, 200, 1000) for y, of in zip(CHOSEN, TOTAL, strict=True)]
    np.testing.assert_allclose(log_odds(CHOSEN, TOTAL), expected, rtol=1e-12)


def test_lift_is_the_share_of_a_token_over_the_share_of_all():
    np.testing.assert_allclose(lift(CHOSEN, TOTAL), [4.0, 1.0, 1.0, 38 / 498 / 0.2, 5.0])


def test_a_token_that_goes_there_as_often_as_others_scores_zero():
    assert log_odds(np.array([20, 180]), np.array([100, 900])) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_frequent_token_beats_a_rare_one_of_greater_lift_and_clutter_is_left_out():
    best = typical(CHOSEN, TOTAL, most=5)
    assert best.columns.tolist() == [0]  # token 4 has lift 5 but was seen twice; 1 and 2 are average, 3 is below
    assert best.lift[0] == pytest.approx(4.0)
    assert best.score[0] > 5


def test_at_most_so_many_come_back_best_first():
    total = np.array([50, 60, 70, 800])
    best = typical(np.array([45, 50, 55, 10]), total, most=2)
    assert best.columns.tolist() == [2, 1]
    assert best.score[0] >= best.score[1]


def test_an_expert_without_tokens_and_one_with_all_of_them_have_nothing_typical():
    assert len(typical(np.zeros(5, dtype=np.int64), TOTAL, most=5).columns) == 0
    assert len(typical(TOTAL, TOTAL, most=5).columns) == 0


def test_a_single_kind_of_token_has_nothing_to_be_compared_with():
    assert log_odds(np.array([3]), np.array([10])).tolist() == [0.0]
