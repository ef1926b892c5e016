import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.lenses import balance
from model.placement import Placement, place

# Six tokens, eight experts, two chosen, four devices: loads can be counted by hand.
IDS_TMA = np.array([[[0, 4]], [[1, 4]], [[2, 3]], [[0, 1]], [[5, 6]], [[0, 1]]], np.int16)
FOUR = place("contiguous", layers=1, experts=8, devices=4)


def test_loads_of_the_hand_checked_vector() -> None:
    load = balance.count(IDS_TMA, FOUR)
    assert load.tokens == 6
    assert load.expert_load.tolist() == [[3, 3, 1, 1, 2, 1, 1, 0]]
    assert load.device_load.tolist() == [[6, 2, 3, 1]]
    assert load.received.tolist() == [[4, 1, 3, 1]]


def test_numbers_of_the_hand_checked_vector() -> None:
    load = balance.count(IDS_TMA, FOUR)
    assert balance.max_violation(load.expert_load).tolist() == [1.0]
    assert balance.balancedness(load.expert_load).tolist() == [0.5]
    assert balance.variation(load.expert_load) == pytest.approx([0.666667], abs=1e-6)
    assert balance.gini(load.expert_load) == pytest.approx([0.354167], abs=1e-6)
    assert balance.normalised_entropy(load.expert_load) == pytest.approx([0.875272], abs=1e-6)
    assert balance.max_violation(load.device_load).tolist() == [1.0]


def test_zero_experts_live_on_no_device_and_cost_nothing() -> None:
    zero = np.where(IDS_TMA == 4, 9, np.where(IDS_TMA == 6, 8, IDS_TMA))  # two choices fall behind the eight stored
    load = balance.count(zero, FOUR)
    assert load.expert_load.tolist() == [[3, 3, 1, 1, 0, 1, 0, 0]]
    assert load.device_load.tolist() == [[6, 2, 1, 0]]
    assert load.received.tolist() == [[4, 1, 1, 0]]
    assert load.traffic.sum() == 6
    nothing = balance.count(np.full_like(IDS_TMA, 8), FOUR)
    assert nothing.tokens == 6
    assert not nothing.device_load.any()
    assert not nothing.received.any()
    assert not nothing.traffic.any()


def test_contiguous_device_loads_of_the_published_vector() -> None:
    loads = np.array(
        [[90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86], [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27]]
    )
    tokens = loads.sum(axis=1).max()
    ids = np.stack([np.resize(np.repeat(np.arange(12), layer), tokens) for layer in loads], axis=1)
    first = loads.sum(axis=1).min()
    placement = place("contiguous", layers=2, experts=12, devices=4)
    load = balance.count(ids[:first, :, None], placement)
    assert load.device_load[0].tolist() == [262, 330, 116, 325]
    rest = balance.count(ids[first:, :, None], placement, first_token=int(first))
    assert (load + rest).device_load[1].tolist() == [231, 280, 516, 129]


def test_traffic_goes_from_the_position_s_home_once_per_device_and_layer() -> None:
    ids = np.repeat(IDS_TMA, 2, axis=1)
    ids[:, 1] = 7
    load = balance.count(ids, place("contiguous", layers=2, experts=8, devices=4), first_token=2)
    expected = np.zeros((4, 4), int)
    # Homes of tokens 2 … 7 are 2 3 0 1 2 3; layer 0 reaches devices 0|2, 0|2, 1, 0, 2|3, 0; layer 1 always device 3.
    for home, devices in zip((2, 3, 0, 1, 2, 3), ((0, 2), (0, 2), (1,), (0,), (2, 3), (0,)), strict=True):
        for device in (*devices, 3):
            expected[home, device] += 1
    assert load.traffic.tolist() == expected.tolist()


@given(
    cut=st.integers(0, 40),
    devices=st.integers(1, 8),
    name=st.sampled_from(["contiguous", "round-robin"]),
    seed=st.integers(0, 99),
)
def test_loads_of_two_parts_add_up_to_the_load_of_the_whole(cut: int, devices: int, name: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    ids = generator.permuted(np.tile(np.arange(8), (40, 3, 1)), axis=2)[:, :, :3].astype(np.int16)
    placement = place(name, layers=3, experts=8, devices=devices)  # type: ignore[arg-type]
    whole = balance.count(ids, placement)
    parts = balance.count(ids[:cut], placement) + balance.count(ids[cut:], placement, first_token=cut)
    assert parts.tokens == whole.tokens
    for field in ("expert_load", "device_load", "received", "traffic"):
        assert np.array_equal(getattr(parts, field), getattr(whole, field))
    assert whole.device_load.sum() == whole.expert_load.sum() == ids.size
    assert whole.traffic.sum() == whole.received.sum() <= ids.size


def test_the_model_s_balancedness_is_a_ratio_of_sums() -> None:
    load = np.array([[4, 0], [30, 10]])
    assert balance.balancedness(load).tolist() == [0.5, pytest.approx(2 / 3)]
    assert balance.model_balancedness(load) == pytest.approx((2 + 20) / (4 + 30))


def test_no_load_at_all_gives_nan_and_perfect_balance_its_ideal_values() -> None:
    none, even = np.zeros((2, 4), np.int64), np.full((2, 4), 5)
    for measure, ideal in (
        (balance.max_violation, 0),
        (balance.balancedness, 1),
        (balance.variation, 0),
        (balance.gini, 0),
        (balance.normalised_entropy, 1),
    ):
        assert np.isnan(measure(none)).all()
        assert measure(even) == pytest.approx([ideal, ideal])
    assert np.isnan(balance.model_balancedness(none))
    assert balance.normalised_entropy(np.array([[7]])).tolist() == [1.0]


def test_a_placement_with_replicas_is_refused() -> None:
    slots = np.array([[0, 1, 0]])
    with pytest.raises(ValueError, match="replicas"):
        balance.count(np.zeros((1, 1, 1), np.int16), Placement("contiguous", 3, slots, np.array([[0, 1, 2]])))
