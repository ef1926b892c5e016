"""The bar above everything: the model, its proof, layer and head, theme, export."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from widgets.model_chip import ModelChip
from widgets.palette import DARK, Palette
from widgets.proof_badge import ProofBadge, ProofState
from widgets.selection import Selection
from widgets.stepper import Stepper

HEIGHT = 44
ROOMY = 1080  # pixels; in a narrower bar the details would be cut


class TopBar(QFrame):
    """Model chip and proof at the left; layer, head, theme and export at the right.

    Signals: `layer_chosen(int)`, `head_chosen(int)`, `card_wanted()`, `proof_wanted()`, `theme_wanted()`,
    `export_wanted()`.
    """

    layer_chosen = Signal(int)
    head_chosen = Signal(int)
    card_wanted = Signal()
    proof_wanted = Signal()
    theme_wanted = Signal()
    export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName(self.tr("Model and selection"))
        self._palette = DARK
        self._model = ModelChip(self)
        self._proof = ProofBadge(self)
        self._layer = Stepper(self.tr("Layer"), self)
        self._head = Stepper(self.tr("Head"), self)
        self._theme = QPushButton(self)
        self._export = QPushButton(self.tr("Export…"), self)
        self._arrange()
        self._model.clicked.connect(self.card_wanted)
        self._proof.clicked.connect(self.proof_wanted)
        self._layer.chosen.connect(self.layer_chosen)
        self._head.chosen.connect(self.head_chosen)
        self._theme.clicked.connect(self.theme_wanted)
        self._export.clicked.connect(self.export_wanted)
        self.show_palette(DARK)

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours, and name the other theme on its button."""
        self._palette = palette
        self._proof.show_palette(palette)
        self._theme.setText(self.tr("Light") if palette.name == "dark" else self.tr("Dark"))
        self.update()

    def show_model(
        self,
        name: str,
        family: str,
        total: int,
        active: int,
        device: str,
        dtype: str,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Describe the open model; parameters in all and per token; hover tells the notes."""
        self._model.show_model(name, family=family, total=total, active=active, device=device, dtype=dtype, notes=notes)
        self._proof.show()

    def show_no_model(self, text: str) -> None:
        """Say why there is no model."""
        self._model.show_no_model(text)
        self._proof.hide()

    def show_loading(self, name: str, fraction: float) -> None:
        """Show how much of a model has been read, 0 to 1."""
        self._model.show_loading(name, fraction)
        self._proof.hide()

    def show_proof(self, state: ProofState, text: str, tooltip: str) -> None:
        """Show the outcome of the proof, its figure and what it means."""
        self._proof.show_proof(state, text=text, tooltip=tooltip)

    def show_selection(self, selection: Selection, layers: int, heads: int) -> None:
        """Show the layer and the head that every view shows, of so many."""
        self._layer.show_value(selection.layer, count=layers)
        self._head.show_value(selection.head, count=heads)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._model.set_compact(self.width() < ROOMY)
        self._theme.setVisible(self.width() >= ROOMY)  # the menu has it too

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, self._palette.colour("line"))

    def _arrange(self) -> None:
        self._theme.setProperty("role", "quiet")
        self._theme.setToolTip(self.tr("Switch between light and dark"))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 0, 10, 1)
        row.setSpacing(14)
        row.addWidget(self._model)
        row.addWidget(self._proof)
        row.addStretch(1)
        row.addWidget(self._layer)
        row.addWidget(self._head)
        row.addWidget(self._theme)
        row.addWidget(self._export)
        row.setAlignment(Qt.AlignmentFlag.AlignVCenter)
