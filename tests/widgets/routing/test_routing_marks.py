import numpy as np
import pytest

from widgets.palette import DARK
from widgets.routing.data import RouterScores, RoutingTokens, RoutingTotals
from widgets.routing.geometry import Columns, Rows
from widgets.routing.grid import token_grid, total_grid
from widgets.routing.marks import (
    FAINTEST_CHOICE,
    levels,
    margin_loudness,
    over_uniform,
    pooled_margins,
    pooled_weights,
    rank_of,
    score_of,
    weight_of,
)
from widgets.routing.picture import cell_pixels, spread


def routing(ids, weights, margins=None, experts=4):
    ids = np.array(ids)
    margins = np.full(len(ids), 0.01) if margins is None else margins
    return RoutingTokens(
        layer=5, moe=True, experts=experts, chosen=ids.shape[1], groups=1, groups_per_token=1, shared=0,
        expert_ids=ids, expert_weights=np.array(weights, np.float32), margins=np.array(margins, np.float32),
        expert_device=np.arange(experts) * 2 // experts, devices=2,
    )  # fmt: skip


THREE = routing([[0, 1], [1, 2], [3, 0]], [[0.6, 0.2], [0.1, 0.5], [0.3, 0.4]], [0.1, 0.001, np.inf])


def test_cells_hold_the_gates_and_nothing_where_an_expert_was_not_chosen():
    cells = pooled_weights(THREE, Rows(0, 3, 1, 10.0, 0.0))
    expected = np.array([[0.6, 0.2, np.nan, np.nan], [np.nan, 0.1, 0.5, np.nan], [0.4, np.nan, np.nan, 0.3]])
    np.testing.assert_allclose(cells, expected, rtol=1e-6)


def test_pooled_rows_take_the_largest_gate_and_the_smallest_margin():
    rows = Rows(0, 2, 2, 1.0, 0.0)
    cells = pooled_weights(THREE, rows)
    np.testing.assert_allclose(cells, [[0.6, 0.2, 0.5, np.nan], [0.4, np.nan, np.nan, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(pooled_margins(THREE.margins, rows), [0.001, np.nan], rtol=1e-6)


def test_close_choices_are_loud_and_unknown_margins_silent():
    loud = margin_loudness(np.array([0.0, 1e-4, 1e-2, 0.1, 0.7, np.nan], np.float32))
    np.testing.assert_allclose(loud, [1, 1, 1 / 3, 0, 0, 0], atol=1e-5)


def test_the_smallest_gate_still_shows():
    places = levels(np.array([0.0, 0.5, np.nan], np.float32), 0.5)
    assert places[0] == pytest.approx(FAINTEST_CHOICE)
    assert places[1] == pytest.approx(1.0)
    assert np.isnan(places[2])


def test_shares_are_multiples_of_uniform():
    shares = over_uniform(np.array([[2, 2, 2, 2], [8, 0, 0, 0], [0, 0, 0, 0]]))
    np.testing.assert_allclose(shares[:2], [[1, 1, 1, 1], [4, 0, 0, 0]])
    assert np.isnan(shares[2]).all()


def test_ranks_go_by_gate_whatever_the_order_of_the_router():
    assert [rank_of(THREE, 2, expert) for expert in range(4)] == [1, None, None, 2]
    assert weight_of(THREE, 2, 3) == pytest.approx(0.3)


def test_scores_are_told_only_for_their_own_layer_and_tokens():
    scores = RouterScores(5, (1, 3), np.array([[0.1, 0.2], [0.3, 0.4]], np.float32))
    assert score_of(scores, 5, 2, 1) == pytest.approx(0.4)
    assert score_of(scores, 5, 0, 1) is None
    assert score_of(scores, 4, 2, 1) is None
    assert score_of(None, 5, 2, 1) is None


def test_grids_end_their_colours_at_round_numbers():
    assert token_grid(THREE, []).key == ("0", "0.75")
    totals = RoutingTotals((1, 2), np.array([[2, 2, 2, 2], [8, 0, 0, 0]]), np.zeros((2, 4)), 0)
    grid = total_grid(totals, np.zeros(4, np.int64), devices=1, groups=1)
    assert grid.key == ("0", "5×")
    assert grid.names == ["L1", "L2"]
    assert np.isnan(grid.cells(Rows(1, 1, 1, 9.0, 0.0))[0, 1:]).all()


def test_pixels_of_unchosen_experts_are_the_background_and_gaps_are_clear():
    rows, columns = Rows(0, 1, 1, 4.0, 0.0), Columns(np.array([0, 1]), np.array([0.0, 5.0]), np.array([3.0, 8.0]))
    pixels = cell_pixels(np.array([[1.0, np.nan]], np.float32), rows, columns, size=(8, 4), ratio=1.0, palette=DARK)
    assert pixels.shape == (4, 8, 4)
    assert tuple(pixels[0, 0]) == DARK.colour("accent").fromString(DARK.sequential[-1]).getRgb()
    assert tuple(pixels[0, 6]) == DARK.colour("background").getRgb()
    assert pixels[0, 4, 3] == 0
    assert pixels[3, :, 3].max() == 0


def test_spreading_repeats_cells_over_pixels():
    rgba = np.arange(8, dtype=np.uint8).reshape(1, 2, 4)
    wide = spread(rgba, np.array([0, 0]), np.array([1, -1, 0]))
    assert wide[0].tolist() == [[4, 5, 6, 7], [0, 0, 0, 0], [0, 1, 2, 3]]
