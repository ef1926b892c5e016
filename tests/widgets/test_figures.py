"""Numbers as text: units, digits, and where one unit gives way to the next."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.figures import bytes_text, count_text, duration_text, part_text, rate_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (4_100_000, "4.1 MB"),
        (88_100, "88.1 kB"),
        (704_512, "705 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (1_000_000_000, "1 GB"),
        (31_412_968_448, "31.4 GB"),
    ],
)
def test_bytes_are_short_and_decimal(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_exact_bytes_show_every_digit() -> None:
    assert bytes_text(110_080, exact=True) == "110,080 B"


@given(st.integers(min_value=0, max_value=10**17))
def test_short_bytes_are_within_one_twentieth_of_the_truth(size: int) -> None:
    number, unit = bytes_text(size).split(" ")
    shown = float(number.replace(",", "")) * 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit)
    assert abs(shown - size) <= 0.05 * size


@pytest.mark.parametrize(
    ("count", "text"), [(4096, "4,096"), (10_000, "10 k"), (10_200_000, "10.2 M"), (671_026_404_352, "671 B")]
)
def test_counts_name_thousands_millions_and_billions(count: int, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0000123, "12.3 µs"),
        (0.000812, "812 µs"),
        (0.0032, "3.2 ms"),
        (1.4, "1.4 s"),
        (59.96, "1 min 00 s"),
        (125.0, "2 min 05 s"),
        (3780.0, "1 h 03 min"),
        (math.nan, "–"),
    ],
)
def test_durations_use_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_slow_rates_keep_one_digit_after_the_point() -> None:
    assert (rate_text(312.4), rate_text(4.25), rate_text(math.inf)) == ("312 tokens/s", "4.2 tokens/s", "– tokens/s")


def test_a_part_is_told_in_the_unit_of_its_whole() -> None:
    assert part_text(2_100_000_000, 8_000_000_000) == "2.1 of 8 GB"
    assert part_text(0, 31_400_000_000) == "0 of 31.4 GB"
    assert part_text(512, 999) == "512 of 999 B"
