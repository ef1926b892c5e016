"""Chips of different widths in lines: which token stands where, for many thousands of them."""

from bisect import bisect_right
from collections.abc import Iterable


class TokenLines:
    """Positions of chips that wrap at a width; adding one at the end costs the same however many there are.

    Widths and gaps are in pixels. `edges[t]` is where token t would begin were all of them in one line.
    """

    def __init__(self, *, gap: float) -> None:
        self._gap = gap
        self._width = 1.0
        self._edges = [0.0]
        self._starts = [0]

    def __len__(self) -> int:
        return len(self._edges) - 1

    def lines(self) -> int:
        """How many lines there are; none without tokens."""
        return len(self._starts) if len(self) else 0

    def clear(self) -> None:
        """Forget all tokens."""
        self._edges, self._starts = [0.0], [0]

    def extend(self, widths: Iterable[float]) -> None:
        """Add chips at the end."""
        edge = self._edges[-1]
        for width in widths:
            edge += width + self._gap
            self._edges.append(edge)
        self._wrap_from_last_line()

    def wrap(self, width: float) -> None:
        """Break lines at this width; a chip wider than it has a line of its own."""
        if width != self._width:
            self._width = width
            self._starts = [0]
            self._wrap_from_last_line()

    def tokens_in(self, line: int) -> range:
        """The tokens of a line."""
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self)
        return range(self._starts[line], end)

    def line_of(self, token: int) -> int:
        """The line a token stands in."""
        return bisect_right(self._starts, token) - 1

    def place(self, token: int) -> tuple[float, float]:
        """(left, right) of a chip in its line."""
        start = self._edges[self._starts[self.line_of(token)]]
        return self._edges[token] - start, self._edges[token + 1] - self._gap - start

    def token_at(self, line: int, x: float) -> int | None:
        """The chip at a distance from the line's left end; None between chips."""
        if not 0 <= line < self.lines():
            return None
        token = bisect_right(self._edges, self._edges[self._starts[line]] + x) - 1
        inside = token in self.tokens_in(line) and x >= 0 and x <= self.place(token)[1]
        return token if inside else None

    def nearest(self, line: int, x: float) -> int:
        """The token of a line that is closest to a distance from its left end."""
        tokens = self.tokens_in(line)
        return min(tokens, key=lambda token: abs(sum(self.place(token)) / 2 - x))

    def _wrap_from_last_line(self) -> None:
        while True:
            start = self._starts[-1]
            following = bisect_right(self._edges, self._edges[start] + self._width + self._gap + 1e-6) - 1
            following = max(following, start + 1)
            if following >= len(self):
                return
            self._starts.append(following)
