import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from widgets.scripts import drawable
from widgets.token_text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" castle", "castle"),
        ("castle", "castle"),
        (" ", "␣"),
        ("  ", "␣␣"),
        ("\n", "↵"),
        (" \n", "␣↵"),
        ("\t", "⇥"),
        ("\r", "␍"),
        ("\u00a0", "⍽"),
        ("", "∅"),
        ("\x1b", "‹1B›"),
        ("\u200b", "‹200B›"),
        ("\u202e", "‹202E›"),
        ("\ud83d", "‹D83D›"),
        ("\u0301", "◌\u0301"),
        ("王", "王"),
        (" 世界", "世界"),
        ("<b>", "<b>"),
    ],
)
def test_every_token_is_visible(text, shown):
    assert visible(text) == shown


def test_a_long_token_is_cut_at_the_limit_and_says_so():
    assert visible("a" * 100, limit=10) == "a" * 9 + "…"
    assert visible("-" * 100, limit=10) == "-" * 9 + "…"


def test_a_token_of_exactly_the_limit_is_whole():
    assert visible("a" * 10, limit=10) == "a" * 10


def test_inner_spaces_show_unless_asked_to_stay():
    assert visible("a b") == "a␣b"
    assert visible("a b", keep_inner_spaces=True) == "a b"


@given(st.text(min_size=1))
def test_nothing_that_would_reorder_or_break_a_line_comes_through(text):
    shown = visible(text)
    assert 1 <= len(shown) <= 24
    assert not set(shown) & {"\n", "\r", "\t", "\u2028", "\u2029", "\u202e", "\u2066", "\x00", "\x85"}


@given(st.text(min_size=1, max_size=20).filter(str.isalnum))
def test_letters_and_digits_pass_unchanged(text):
    assume(all(drawable(character) for character in text))  # letters without a font are shown by number
    assert visible(text) == text
