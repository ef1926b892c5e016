from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.devices.bars import axis_end, axis_ticks, place_bars
from widgets.devices.cofiring import expected_by_chance, kept_edges, lifts, neighbours
from widgets.devices.data import ExpertGraph
from widgets.devices.graph_canvas import edge_width
from widgets.devices.layout import lay_out, number_communities, parted
from widgets.devices.load_painting import fitting, short_number


def fired(blocks, *, tokens=400, chosen=3, seed=0):
    """Counts and pairs of experts that prefer the others of their block."""
    random = np.random.default_rng(seed)
    blocks = np.array(blocks)
    together = np.zeros((len(blocks), len(blocks)), np.int64)
    for _ in range(tokens):
        likely = np.where(blocks == random.choice(blocks), 12.0, 1.0)
        ids = random.choice(len(blocks), chosen, replace=False, p=likely / likely.sum())
        together[np.ix_(ids, ids)] += 1
    return np.diag(together).copy(), together


def graph(blocks, **more):
    counts, together = fired(blocks, **more)
    return ExpertGraph(5, counts, together, np.arange(len(blocks)) * 4 // len(blocks))


TWO_BLOCKS = [0, 0, 0, 0, 1, 1, 1, 1]


def test_equal_experts_are_expected_to_meet_equally_often():
    counts, together = np.full(4, 6), np.full((4, 4), 4)
    expected = expected_by_chance(counts, together)
    np.testing.assert_allclose(expected, 4.0 * (1 - np.eye(4)))


def test_busy_experts_are_expected_to_meet_more_often_in_proportion():
    counts = np.array([10, 20, 30])
    together = np.array([[0, 2, 8], [2, 0, 12], [8, 12, 0]])
    # Weights 200, 300, 600 share the 22 observed pairs.
    expected = expected_by_chance(counts, together)
    np.testing.assert_allclose([expected[0, 1], expected[0, 2], expected[1, 2]], [4, 6, 12])
    np.testing.assert_allclose(lifts(counts, together)[0], [0, 0.5, 8 / 6])


def test_expected_pairs_add_up_to_the_observed_and_the_diagonal_does_not_count():
    counts, together = fired(TWO_BLOCKS)
    expected = expected_by_chance(counts, together)
    assert expected.sum() == pytest.approx(together.sum() - np.trace(together))
    np.fill_diagonal(together, 0)
    np.testing.assert_allclose(expected_by_chance(counts, together), expected)


def test_experts_that_never_fired_are_nobodys_neighbours():
    counts, together = np.array([3, 3, 0]), np.array([[0, 3, 0], [3, 0, 0], [0, 0, 0]])
    assert lifts(counts, together)[2].tolist() == [0, 0, 0]
    assert neighbours(counts, together, 2, most=5) == []
    assert expected_by_chance(np.zeros(3, np.int64), np.zeros((3, 3), np.int64)).sum() == 0


def test_edges_join_experts_that_prefer_each_other():
    edges = kept_edges(*fired(TWO_BLOCKS))
    assert edges
    assert all(TWO_BLOCKS[one] == TWO_BLOCKS[other] for one, other in edges)
    assert all(one < other for one, other in edges)


def test_with_many_experts_only_the_strongest_edges_are_kept():
    counts, together = fired([number // 16 for number in range(64)], tokens=4000, chosen=6)
    edges = kept_edges(counts, together)
    assert 0 < len(edges) <= 4 * 64


def test_neighbours_are_told_with_their_tokens_and_lift_strongest_first():
    counts, together = fired(TWO_BLOCKS)
    found = neighbours(counts, together, 0, most=3)
    assert {other.expert for other in found} <= {1, 2, 3}
    assert found[0].tokens == together[0, found[0].expert]
    assert found[0].lift == pytest.approx(lifts(counts, together)[0, found[0].expert])
    assert found[0].lift > 1


def test_communities_are_the_blocks_and_keep_their_numbers():
    picture = lay_out(graph(TWO_BLOCKS))
    assert picture.community.tolist() == TWO_BLOCKS
    assert picture.communities == 2
    assert number_communities([{5, 6}, {0}, {1, 2}], 7).tolist() == [-1, 0, 0, -1, -1, 1, 1]


def test_a_layout_is_the_same_every_time_and_lies_in_the_square():
    one, other = lay_out(graph(TWO_BLOCKS)), lay_out(graph(TWO_BLOCKS))
    np.testing.assert_array_equal(one.places, other.places)
    assert one.places.min() >= 0
    assert one.places.max() <= 1


def test_a_later_layout_stays_near_the_earlier_one():
    first = lay_out(graph(TWO_BLOCKS, tokens=400))
    later = lay_out(graph(TWO_BLOCKS, tokens=420), first.places)
    assert np.median(np.hypot(*(later.places - first.places).T)) < 0.15


def test_a_graph_without_edges_or_with_one_expert_still_has_places():
    lonely = ExpertGraph(1, np.array([4]), np.array([[4]]), np.array([0]))
    assert np.isfinite(lay_out(lonely).places).all()
    silent = ExpertGraph(1, np.zeros(6, np.int64), np.zeros((6, 6), np.int64), np.arange(6))
    picture = lay_out(silent)
    assert picture.edges == ()
    assert picture.communities == 0
    assert np.isfinite(picture.places).all()


def test_circles_on_one_spot_are_parted():
    places = parted(np.array([[0.5, 0.5], [0.51, 0.5], [0.9, 0.9]]))
    assert np.hypot(*(places[0] - places[1])) > 0.3
    assert places.min() >= 0
    assert places.max() <= 1


def test_edges_widen_with_every_doubling_and_end_somewhere():
    assert [edge_width(lift) for lift in (0.5, 1.0, 2.0, 4.0, 1000.0)] == [1.0, 1.0, 2.5, 4.0, 5.0]


@given(st.floats(1e-3, 1e9))
def test_the_axis_holds_its_value_and_carries_three_to_six_round_numbers(value):
    end = axis_end(value)
    assert value * (1 - 1e-9) <= end <= 1.67 * value
    ticks = axis_ticks(end)
    assert 3 <= len(ticks) <= 6
    assert ticks[0] == 0
    assert ticks[-1] == pytest.approx(end)
    assert np.allclose(np.diff(ticks), ticks[1])


def test_bars_of_a_group_lie_side_by_side_inside_it():
    bars = place_bars(7, 4, width=350.0, chosen=4)
    for one, other in pairwise(range(4)):
        left, width = bars.bar(2, one)
        assert left + width <= bars.bar(2, other)[0]
    assert bars.left[2] <= bars.bar(2, 0)[0]
    assert bars.at(float(bars.left[3]) + 1) == (3, 0)
    assert bars.at(float(bars.right[3]) + 1) is None


def test_with_many_devices_the_chosen_layer_gets_room_for_its_bars():
    bars = place_bars(26, 64, width=500.0, chosen=4)
    assert bars.has_bars(4)
    assert not bars.has_bars(5)
    assert bars.right[-1] <= 500
    assert not place_bars(26, 64, width=500.0, chosen=None).has_bars(4)


def test_numbers_are_short():
    told = [short_number(value) for value in (0, 46, 1.5, 184.4, 9999, 12500, 150_000, 3.42e6, 2e9)]
    assert told == ["0", "46", "1.5", "184", "9,999", "12.5k", "150k", "3.4M", "2G"]
    assert short_number(81_234, decimals=0) == "81k"


def test_names_of_layers_that_would_touch_are_left_out_but_never_the_chosen_one():
    middle = np.arange(10) * 10.0
    assert fitting(middle, room=25.0, always=None) == [0, 3, 6, 9]
    assert fitting(middle, room=25.0, always=4) == [0, 4, 7]
