import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.attention.viewport import Viewport, clamped, extent, panned, showing, token_range, whole, zoomed

TOKENS = st.integers(1, 200_000)


@given(TOKENS)
def test_the_whole_square_holds_every_token_with_little_to_spare(tokens):
    assert tokens <= extent(tokens) <= max(8, tokens * 1.125 + 4)


def test_the_whole_square_grows_in_steps():
    sizes = [extent(tokens) for tokens in range(1, 1025)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) < 60
    assert extent(46) == 48


@given(TOKENS, st.floats(1.0, 50.0), st.floats(0, 1), st.floats(0, 1))
def test_the_point_under_the_mouse_stays_when_zooming_in(tokens, factor, across, down):
    before = whole(tokens)
    after = zoomed(before, factor, across=across, down=down, tokens=tokens)
    assert after.left + after.span * across == pytest.approx(before.span * across, rel=1e-6, abs=1e-6)
    assert after.top + after.span * down == pytest.approx(before.span * down, rel=1e-6, abs=1e-6)


@given(TOKENS, st.floats(0.01, 100.0), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_no_movement_leaves_the_whole_square(tokens, factor, keys, queries):
    view = panned(
        zoomed(whole(tokens), factor, across=0.3, down=0.6, tokens=tokens), keys=keys, queries=queries, tokens=tokens
    )
    assert 6 <= view.span <= extent(tokens)
    assert -1e-6 <= view.left <= extent(tokens) - view.span + 1e-6
    assert -1e-6 <= view.top <= extent(tokens) - view.span + 1e-6


def test_zooming_out_ends_at_the_whole():
    near = zoomed(whole(100), 4, across=0.5, down=0.5, tokens=100)
    assert zoomed(near, 0.01, across=0.1, down=0.9, tokens=100) == whole(100)


def test_a_query_out_of_view_is_brought_just_into_it():
    view = Viewport(10.0, 20.0, 10.0)
    assert showing(view, 25, 100) == view
    assert showing(view, 5, 100).top == 5
    assert showing(view, 40, 100).top == 31


@pytest.mark.parametrize(
    ("start", "span", "tokens", "expected"),
    [(0, 48, 46, (0, 46)), (3.5, 4.2, 46, (3, 8)), (45.2, 6, 46, (45, 46)), (47.5, 6, 46, (45, 46)), (0, 8, 0, (0, 0))],
)
def test_the_tokens_an_interval_touches(start, span, tokens, expected):
    assert token_range(start, span, tokens) == expected


def test_a_view_that_became_too_large_shrinks_to_the_whole():
    assert clamped(Viewport(50.0, 50.0, 400.0), 46) == whole(46)
