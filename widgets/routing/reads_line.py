"""One line below the routing map: which experts were at hand, which had to be brought in, and what that read."""

from PySide6.QtWidgets import QWidget

from widgets.figures import bytes_text, tabular
from widgets.panel import ElidedLabel
from widgets.routing.data import ExpertReads


class ReadsLine(ElidedLabel):
    """Takes no room where every expert is always in memory."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setProperty("role", "muted")
        self.setFont(tabular(self.font()))
        self.setContentsMargins(12, 0, 12, 8)
        self.setAccessibleName(self.tr("Experts read from the files"))
        self.show_reads(None)

    def show_reads(self, reads: ExpertReads | None) -> None:
        """Show the last step beside the mean over the run; None hides the line."""
        self.setVisible(reads is not None)
        self.set_full_text("" if reads is None else self._sentence(reads))
        self.setAccessibleDescription(
            self.tr("Hits: chosen experts that were in memory. Misses: those brought in from the files.")
        )

    def _sentence(self, reads: ExpertReads) -> str:
        told = self.tr("step: hits {hits}, misses {misses}, {size}/token · run: hits {share} %, {mean}/token")
        chosen = reads.hits + reads.misses
        return told.format(
            hits=f"{reads.last_hits:,}",
            misses=f"{reads.last_misses:,}",
            size=bytes_text(round(reads.last_bytes / max(reads.last_tokens, 1))),
            share=f"{100 * reads.hits / chosen:.0f}" if chosen else "–",
            mean=bytes_text(round(reads.bytes / max(reads.tokens, 1))),
        )
