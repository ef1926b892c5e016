"""Which square of the query × key plane is in view, in tokens; all movements as pure functions."""

import math
from dataclasses import dataclass

SMALLEST_SPAN = 6.0


@dataclass(frozen=True, slots=True)
class Viewport:
    """Keys [left, left + span) across and queries [top, top + span) down, in tokens."""

    left: float
    top: float
    span: float


def extent(tokens: int) -> int:
    """The side of the whole square: the token count rounded up, so that it grows in steps while text streams.

    At most an eighth of it is empty.
    """
    step = max(4, 1 << max(tokens.bit_length() - 4, 0))
    return max(8, -(-tokens // step) * step)


def whole(tokens: int) -> Viewport:
    """Everything, and room for the next few tokens."""
    return Viewport(0.0, 0.0, float(extent(tokens)))


def zoomed(view: Viewport, factor: float, *, across: float, down: float, tokens: int) -> Viewport:
    """Closer by `factor`; the point at these fractions of the square stays where it is."""
    span = min(max(view.span / factor, SMALLEST_SPAN), float(extent(tokens)))
    left = view.left + (view.span - span) * across
    top = view.top + (view.span - span) * down
    return clamped(Viewport(left, top, span), tokens)


def panned(view: Viewport, *, keys: float, queries: float, tokens: int) -> Viewport:
    """Moved by so many tokens, kept inside the whole square."""
    return clamped(Viewport(view.left + keys, view.top + queries, view.span), tokens)


def clamped(view: Viewport, tokens: int) -> Viewport:
    """The nearest square that lies inside the whole one."""
    side = float(extent(tokens))
    span = min(view.span, side)
    return Viewport(min(max(view.left, 0.0), side - span), min(max(view.top, 0.0), side - span), span)


def centred(*, key: float, query: float, span: float, tokens: int) -> Viewport:
    """A view of `span` tokens with this place in its middle, as far as the whole square allows."""
    span = min(max(span, SMALLEST_SPAN), float(extent(tokens)))
    return clamped(Viewport(key - span / 2, query - span / 2, span), tokens)


def showing(view: Viewport, query: int, tokens: int) -> Viewport:
    """Moved just enough that a query's row is in view."""
    if query < view.top:
        return clamped(Viewport(view.left, float(query), view.span), tokens)
    if query + 1 > view.top + view.span:
        return clamped(Viewport(view.left, query + 1 - view.span, view.span), tokens)
    return view


def token_range(start: float, span: float, tokens: int) -> tuple[int, int]:
    """The tokens [a, b) that an interval touches."""
    first = min(max(int(start), 0), max(tokens - 1, 0))
    last = int(-(-(start + span) // 1))
    return first, max(min(last, tokens), min(first + 1, tokens))


def cell_size(tokens: int, pixels: float) -> int:
    """Tokens that share a cell where `tokens` have so many pixels: a power of two, never more cells than pixels.

    A cell without a pixel of its own could be the one that matters.
    """
    needed = tokens / max(pixels, 1.0)
    return 1 << max(math.ceil(math.log2(needed) - 1e-9), 0) if needed > 1 else 1


def aligned(tokens: tuple[int, int], cell: int) -> tuple[int, int]:
    """The same range from a multiple of the cell on."""
    return tokens[0] // cell * cell, tokens[1]
