"""A small plot with two logarithmic axes as an SVG file, light and dark alike."""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 76, 236, 24, 56
COLOURS = ("#2f6fde", "#14867a", "#b3541e", "#8a3ffc")
GREY = "#7d8590"  # readable on white and on black
FONT = "font-family='Inter, system-ui, sans-serif' font-size='13'"


class Line(NamedTuple):
    """One line: what it shows, and its points, all above 0."""

    label: str
    points: Sequence[tuple[float, float]]


def write_plot(file: Path, lines: Sequence[Line], *, x: str, y: str) -> None:
    """Draw the lines, each with its name at its end. Raises OSError."""
    points = [point for line in lines for point in line.points]
    columns = _decades([point[0] for point in points], whole=False)
    rows = _decades([point[1] for point in points], whole=True)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        across = (log10(point[0]) - columns[0]) / (columns[1] - columns[0])
        up = (log10(point[1]) - rows[0]) / (rows[1] - rows[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT}>"]
    for power in range(int(rows[0]), int(rows[1]) + 1):
        _, height = at((points[0][0], 10.0**power))
        parts.append(f"<path d='M{LEFT} {height:.1f}H{WIDTH - RIGHT}' stroke='{GREY}' stroke-opacity='.35'/>")
        parts.append(_text(LEFT - 8, height + 4, f"{10.0**power:g}", "end"))
    for value in sorted({point[0] for point in points}):
        across, _ = at((value, 10.0 ** rows[0]))
        parts.append(_text(across, HEIGHT - BOTTOM + 20, f"{value:,.0f}", "middle", size=11))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x, "middle"))
    parts.append(_text(LEFT - 8, TOP - 8, y, "end"))
    ends = _apart([at(line.points[-1])[1] for line in lines])
    for line, colour, end in zip(lines, COLOURS, ends, strict=False):
        spots = [at(point) for point in line.points]
        path = "L".join(f"{across:.1f} {down:.1f}" for across, down in spots)
        parts.append(f"<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{across:.1f}' cy='{down:.1f}' r='3' fill='{colour}'/>" for across, down in spots]
        parts.append(_text(WIDTH - RIGHT + 12, end + 4, line.label, "start", colour=colour))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _decades(values: Sequence[float], *, whole: bool) -> tuple[float, float]:
    low, high = log10(min(values)), log10(max(values))
    if whole:
        low, high = floor(low), ceil(high)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _apart(heights: Sequence[float]) -> Iterator[float]:
    """The same heights, moved so that no two names overlap."""
    taken: list[float] = []
    for height in heights:
        while any(abs(height - other) < 16 for other in taken):
            height += 4
        taken.append(height)
        yield height


def _text(x: float, y: float, text: str, anchor: str, *, size: int = 13, colour: str = GREY) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' fill='{colour}'>{escape(text)}</text>"
    )
