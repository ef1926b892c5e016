"""Simulated placements: which device holds which expert."""

import numpy as np
import pytest

from model.placement import default_devices, place


def test_contiguous_splits_like_array_split() -> None:
    placement = place("contiguous", layers=2, experts=10, devices=4)
    assert placement.slot_to_device.tolist() == [[0, 0, 0, 1, 1, 1, 2, 2, 3, 3]] * 2
    assert placement.slot_to_expert.tolist() == [list(range(10))] * 2


def test_round_robin_deals_experts_out() -> None:
    assert place("round-robin", layers=1, experts=5, devices=2).slot_to_device.tolist() == [[0, 1, 0, 1, 0]]


@pytest.mark.parametrize("name", ["contiguous", "round-robin"])
@pytest.mark.parametrize("devices", [1, 3, 8])
def test_every_expert_lives_once_and_devices_differ_by_one_at_most(name, devices: int) -> None:
    placement = place(name, layers=1, experts=8, devices=devices)
    assert sorted(placement.slot_to_expert[0]) == list(range(8))
    counts = np.bincount(placement.slot_to_device[0], minlength=devices)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("devices", [0, -1, 9])
def test_impossible_numbers_of_devices_are_refused(devices: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 8"):
        place("contiguous", layers=1, experts=8, devices=devices)


def test_the_models_own_groups_are_the_default_devices() -> None:
    assert [default_devices(groups) for groups in (0, 1, 4, 8)] == [8, 8, 4, 8]
