"""How tokens become cells, and values become shades."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.timeline_cells import grouped, lay_out, quantiles, shades, strengths, usual_range


def test_few_tokens_have_a_cell_each() -> None:
    cells = lay_out(62, width=1572.0)
    assert (cells.count, cells.tokens_per_cell) == (62, 1)
    assert cells.token_at(cells.pitch * 21.5) == 21


@given(st.integers(1, 300_000), st.floats(10.0, 4000.0))
def test_all_tokens_have_a_cell_within_the_width(tokens: int, width: float) -> None:
    cells = lay_out(tokens, width=width)
    assert cells.count * cells.tokens_per_cell >= tokens
    assert (cells.count - 1) * cells.tokens_per_cell < tokens
    assert cells.count * cells.pitch <= width + 1e-6
    assert cells.pitch >= 4.0 - 1e-9


@given(st.integers(1, 300_000), st.integers(0, 10**6))
def test_middle_of_a_cell_finds_its_token_again(tokens: int, token: int) -> None:
    cells, token = lay_out(tokens, width=900.0), token % tokens
    cell = cells.cell_of(token)
    assert cells.cell_of(cells.token_at((cell + 0.5) * cells.pitch)) == cell


def test_groups_take_the_mean_of_what_is_known() -> None:
    values = np.array([1.0, 3.0, np.nan, 5.0, np.nan, np.nan, 7.0], dtype=np.float32)
    np.testing.assert_allclose(grouped(values, per_cell=2), [2.0, 5.0, np.nan, 7.0])
    assert len(grouped(values[:0], per_cell=2)) == 0


def test_shades_rise_from_faint_to_full_and_bound_what_is_outside() -> None:
    strength = shades(np.array([0.0, 1.0, 2.0, 9.0, np.nan], dtype=np.float32), low=0.0, high=2.0)
    np.testing.assert_allclose(strength, [0.38, 0.69, 1.0, 1.0, 0.69], atol=1e-6)


def test_one_slow_token_does_not_flatten_the_others() -> None:
    values = np.r_[np.linspace(0.003, 0.004, 99), 5.0].astype(np.float32)
    low, high = usual_range(values)
    assert high < 0.005
    assert low > 0.0029
    assert usual_range(values[:0]) == (0.0, 1.0)


def test_prefill_and_decode_are_shaded_over_their_own_ranges() -> None:
    seconds = np.r_[np.linspace(1e-5, 2e-5, 50), np.linspace(3e-3, 4e-3, 50)].astype(np.float32)
    ink = strengths(seconds, tokens=100, cells=lay_out(100, width=900.0), parts=50)
    np.testing.assert_allclose(ink[[0, 49, 50, 99]], [0.38, 1.0, 0.38, 1.0], atol=1e-6)
    together = strengths(np.clip(seconds, 0, 1), tokens=100, cells=lay_out(100, width=900.0), parts=None)
    assert together.max() < 0.39


def test_values_still_missing_get_the_middle_shade() -> None:
    ink = strengths(np.zeros(2, dtype=np.float32), tokens=4, cells=lay_out(4, width=900.0), parts=None)
    np.testing.assert_allclose(ink, [0.38, 0.38, 0.69, 0.69], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_quantiles_are_numpy_s(count):
    values = np.random.default_rng(count).normal(size=count).astype(np.float32)
    assert quantiles(values, 0.05, 0.5, 0.95) == pytest.approx(np.quantile(values, [0.05, 0.5, 0.95]), rel=1e-6)
