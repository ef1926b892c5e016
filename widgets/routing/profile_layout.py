"""Where everything on the profile page lies: domain rows, expert columns, bars, the typical tokens below."""

from dataclasses import dataclass

from PySide6.QtCore import QRectF

TOP = 22  # the experts' numbers
MARGIN = 12
GAP = 14
NAMES = 96
LEAST_BARS, MOST_BARS = 110, 260
NUMBER = 44  # a bar's figure
TOKENS = 54  # the typical tokens' two lines
LEAST_ROW, MOST_ROW = 9.0, 22.0


@dataclass(frozen=True, slots=True)
class ProfileLayout:
    """Rectangles in pixels of the page."""

    cells: QRectF  # experts across, domains down
    bars: QRectF  # the same rows; the room for figures at its right is not in it
    tokens: QRectF
    experts: int
    domains: int

    def cell(self, expert: int, domain: int) -> QRectF:
        """One expert in one domain."""
        width, height = self.cells.width() / self.experts, self.cells.height() / self.domains
        return QRectF(self.cells.left() + expert * width, self.cells.top() + domain * height, width, height)

    def row(self, domain: int) -> tuple[float, float]:
        """Top and height of a domain's row."""
        height = self.cells.height() / self.domains
        return self.cells.top() + domain * height, height

    def bar(self, domain: int, share: float, *, full: float) -> QRectF:
        """A domain's bar for a share where `full` fills the width."""
        top, height = self.row(domain)
        inset = min(3.0, height / 5)
        width = self.bars.width() * min(share / full, 1.0)
        return QRectF(self.bars.left(), top + inset, width, height - 2 * inset)

    def at(self, x: float, y: float) -> tuple[int | None, int] | None:
        """Expert and domain under a point; the expert is None over names and bars; None outside the rows."""
        if not self.cells.top() <= y < self.cells.bottom():
            return None
        domain = min(int((y - self.cells.top()) / self.cells.height() * self.domains), self.domains - 1)
        if not self.cells.left() <= x < self.cells.right():
            return None, domain
        return min(int((x - self.cells.left()) / self.cells.width() * self.experts), self.experts - 1), domain


def lay_out(width: float, height: float, *, experts: int, domains: int) -> ProfileLayout:
    """Rows as high as there is room for; the bars take a third of the width."""
    room = max(height - TOP - TOKENS - MARGIN, LEAST_ROW * domains)
    row = min(max(room / domains, LEAST_ROW), MOST_ROW)
    free = width - 2 * MARGIN - NAMES - GAP - NUMBER
    bars = min(max(free / 3, LEAST_BARS), MOST_BARS)
    cells = QRectF(MARGIN + NAMES, TOP, max(free - bars, 40.0), row * domains)
    left = cells.right() + GAP
    return ProfileLayout(
        cells=cells,
        bars=QRectF(left, TOP, max(width - MARGIN - NUMBER - left, 20.0), cells.height()),
        tokens=QRectF(MARGIN, cells.bottom() + 8, width - 2 * MARGIN, max(height - cells.bottom() - 12, 0.0)),
        experts=experts,
        domains=domains,
    )
