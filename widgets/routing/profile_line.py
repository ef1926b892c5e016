"""One line below the routing map: what the selected expert is chosen for, as far as that was ever measured."""

from PySide6.QtWidgets import QWidget

from widgets.figures import tabular
from widgets.panel import ElidedLabel
from widgets.routing.profile_data import LayerDomains
from widgets.token_text import visible

TOKENS = 5


class ProfileLine(ElidedLabel):
    """Takes no room while no expert is selected or no profile is known."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setProperty("role", "muted")
        self.setFont(tabular(self.font()))
        self.setContentsMargins(12, 0, 12, 8)
        self.setAccessibleName(self.tr("Profile of the selected expert"))
        self.hide()

    def show_expert(self, layer: LayerDomains | None, expert: int | None) -> None:
        """Tell of one expert of a layer; None hides the line."""
        if layer is None or expert is None or expert >= layer.experts:
            self.hide()
            return
        self.set_full_text(self._sentence(layer, expert))
        self.show()

    def _sentence(self, layer: LayerDomains, expert: int) -> str:
        domain = layer.strongest(expert)
        told = self.tr("expert {expert}: {share} % of {domain}, {overall} % of all")
        parts = [
            told.format(
                expert=expert,
                share=f"{100 * layer.rates[expert, domain]:.0f}",
                domain=visible(layer.domains[domain]),
                overall=f"{100 * layer.overall[expert]:.0f}",
            )
        ]
        if layer.typical[expert]:
            parts.append("  ".join(f"“{visible(token.text)}”" for token in layer.typical[expert][:TOKENS]))
        parts.append(
            self.tr("{tokens:,} tokens of {texts}").format(
                tokens=layer.tokens, texts=visible(layer.texts, limit=40, keep_inner_spaces=True)
            )
        )
        return " · ".join(parts)
