"""Numbers as a person reads them: bytes, counts, speeds and durations, with units and few digits."""

import math

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QFont

BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
COUNT_UNITS = ("", "k", "M", "B", "T")
EXACT_BELOW = 10_000


def bytes_text(size: int, *, exact: bool = False) -> str:
    """`110,080 B` when exact, else `110 kB`: decimal (SI) units, one digit after the point below 100."""
    if exact or abs(size) < 1000:
        return f"{size:,} B"
    return _scaled(size, BYTE_UNITS)


def part_text(part: int, whole: int) -> str:
    """A part of a whole in the whole's own unit: `2.1 of 8 GB`."""
    if whole < 1000:
        return _translated("{part} of {whole}").format(part=f"{part:,}", whole=bytes_text(whole))
    number, unit = bytes_text(whole).split(" ")
    scaled = part / 1000.0 ** BYTE_UNITS.index(unit)
    return _translated("{part} of {whole}").format(part=_few_digits(scaled), whole=f"{number} {unit}")


def count_text(count: int) -> str:
    """`4,096` up to four digits, then `10.2 M`, `671 B` (billions)."""
    return f"{count:,}" if abs(count) < EXACT_BELOW else _scaled(count, COUNT_UNITS)


def parameters_text(count: int) -> str:
    """A model's size as its makers write it: `1,026.41 B`, `15.71 B`, `10.2 M`; billions are the largest unit."""
    if abs(count) < 999_500_000:
        return count_text(count)
    digits = 2 if abs(count) < 10**13 else 0
    return f"{count / 10**9:,.{digits}f} B"


def rate_text(tokens_per_second: float) -> str:
    """`312 tokens/s`, with one digit after the point below 10."""
    if not math.isfinite(tokens_per_second):
        return _translated("– tokens/s")
    digits = 1 if abs(tokens_per_second) < 9.95 else 0
    return _translated("{rate} tokens/s").format(rate=f"{tokens_per_second:,.{digits}f}")


def duration_text(seconds: float) -> str:
    """`812 µs`, `3.2 ms`, `1.4 s`, `2 min 05 s`, `1 h 03 min`."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 59.95:
        return _short_duration(seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _translated("{minutes} min {seconds} s").format(minutes=minutes, seconds=f"{rest:02d}")
    return _translated("{hours} h {minutes} min").format(hours=f"{minutes // 60:,}", minutes=f"{minutes % 60:02d}")


def tabular(font: QFont) -> QFont:
    """The same font with figures of one width, so that changing numbers do not make a line dance."""
    made = QFont(font)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def _short_duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 0.9995 or unit == "µs":
            return f"{_few_digits(seconds * factor)} {unit}"
    raise AssertionError("the last unit always returns")


def _scaled(number: int, units: tuple[str, ...]) -> str:
    value, place = float(number), 0
    # 999.5 would be shown as 1000: take the next unit before it is.
    while abs(value) >= 999.5 and place < len(units) - 1:
        value, place = value / 1000.0, place + 1
    return f"{_few_digits(value)} {units[place]}"


def _few_digits(value: float) -> str:
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0")


def _translated(text: str) -> str:
    return QCoreApplication.translate("figures", text)
