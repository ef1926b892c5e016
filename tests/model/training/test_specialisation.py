import numpy as np
import pytest

from model.training.specialisation import expert_counts, max_violation, mutual_information


def test_experts_that_name_the_domain_share_all_its_bits():
    assert mutual_information(np.diag([3, 50, 7, 1])) == pytest.approx(2.0)


def test_experts_that_ignore_the_domain_share_none():
    assert mutual_information(np.array([[1, 2, 3], [10, 20, 30]])) == pytest.approx(0.0)


def test_max_violation_of_the_hand_checked_load():
    assert max_violation(np.array([3, 3, 1, 1, 2, 1, 1, 0])) == pytest.approx(1.0)


def test_counts_include_idle_experts():
    assert expert_counts(np.array([[0, 2], [2, 1]]), 4).tolist() == [1, 1, 2, 0]
