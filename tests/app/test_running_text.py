"""Characters split over tokens come together in the running text."""

from app.running_text import running_text


def test_a_character_split_over_three_tokens_is_one_again():
    assert running_text(["明", "‹E6›", "‹9C›", "‹88›", "几"], complete=True) == "明月几"


def test_half_a_character_at_the_end_is_held_back_until_the_rest_comes_or_the_text_is_over():
    assert running_text(["明", "‹E6›‹9C›"], complete=False) == "明"
    assert running_text(["明", "‹E6›‹9C›", "‹88›"], complete=False) == "明月"
    assert running_text(["明", "‹E6›‹9C›"], complete=True) == "明‹E6›‹9C›"


def test_bytes_that_are_no_character_stay_visible():
    assert running_text(["a", "‹FF›", "b"], complete=True) == "a‹FF›b"


def test_ordinary_text_is_untouched():
    assert running_text(["The", " king", "‹", "x›"], complete=False) == "The king‹x›"
