"""The Devices panel: load and traffic of simulated devices, and the graph of experts that fire together."""

from math import isfinite

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from widgets.devices.cofiring import ALL_EDGES_UP_TO, STRONGEST, neighbours
from widgets.devices.data import DeviceLoad, ExpertGraph, TokenPath
from widgets.devices.graph_canvas import GraphCanvas
from widgets.devices.layout import GraphPicture
from widgets.devices.layouter import Layouter
from widgets.devices.load_canvas import LoadCanvas
from widgets.devices.load_layout import LoadPlace
from widgets.devices.load_painting import LoadWords
from widgets.devices.numbers_row import NumbersRow
from widgets.devices.placement_button import PlacementButton
from widgets.devices.stepper import Stepper
from widgets.palette import Palette
from widgets.panel import Panel
from widgets.segmented import Segmented
from widgets.selection import Selection
from widgets.token_text import visible

MOST_NEIGHBOURS = 6
SIDE_WIDTH = 196


class DevicesView(Panel):
    """Two ways of seeing: `load` (bars and traffic) and `graph` (experts that fire together).

    Signals: `device_chosen(int)`, `layer_chosen(int)`, `expert_chosen(int)`, `devices_changed(int)`,
    `placement_chosen(str)` ("contiguous" or "round-robin"), `mode_chosen(str)` ("load" or "graph"),
    `hovered_text(str)`, empty when the mouse leaves.
    """

    device_chosen = Signal(int)
    layer_chosen = Signal(int)
    expert_chosen = Signal(int)
    devices_changed = Signal(int)
    placement_chosen = Signal(str)
    mode_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(QCoreApplication.translate("DevicesView", "Devices"), parent)
        self._load: DeviceLoad | None = None
        self._graph: ExpertGraph | None = None
        self._picture: GraphPicture | None = None
        self._selection = Selection()
        self._mode = "load"
        self._hint_text = ""
        self._layouter = Layouter(self)
        self._layouter.laid_out.connect(self._show_picture)
        self.destroyed.connect(self._layouter.close)
        self._add_controls()
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._load_page())
        self._pages.addWidget(self._graph_page())
        self.set_body(self._pages)
        self.clear()

    # Setters

    def show_load(self, load: DeviceLoad) -> None:
        """Load and traffic so far; called again as tokens come in."""
        self._load = load
        self._canvas.show_load(load)
        self._show_numbers(load)
        self._refresh()

    def show_path(self, path: TokenPath | None) -> None:
        """Mark where the selected token is sent in the selected layer; None where there are no experts."""
        self._canvas.show_path(path)
        self._path.setText("" if path is None else self._path_text(path))

    def show_graph(self, graph: ExpertGraph) -> None:
        """Which experts of the selected layer fired together; laid out beside the window's thread."""
        if self._picture is not None and (
            self._picture.graph.layer != graph.layer or len(self._picture.graph.counts) != len(graph.counts)
        ):
            self._show_picture(None)
        self._graph = graph
        if self._mode == "graph":
            self._layouter.ask(graph)
        self._refresh()

    def show_selection(self, selection: Selection) -> None:
        """Full ink for the selected layer, frames for the selected device and expert."""
        self._selection = selection
        self._refresh()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._canvas.show_palette(palette)
        self._graph_canvas.show_palette(palette)

    def show_devices(self, count: int, maximum: int) -> None:
        """How many devices are simulated, and how many there may be; emits nothing."""
        self._count.show_number(count, maximum)

    def show_placement(self, name: str) -> None:
        """The placement in force; emits nothing."""
        self._placement.show_choice(name)

    def show_mode(self, mode: str) -> None:
        """Switch to "load" or "graph"; emits nothing."""
        if mode == self._mode:
            return
        self._mode = mode
        self._switch.show_choice(mode)
        if mode == "graph" and self._graph is not None:
            self._layouter.ask(self._graph)
        self._refresh()

    def clear(self, hint: str = "") -> None:
        """Forget everything and say what will appear."""
        self._load = self._graph = None
        self._canvas.show_load(None)
        self._layouter.drop()
        self._show_picture(None)
        self._hint_text = hint or self.tr("The load of simulated devices appears here: enter a prompt and press Run.")
        self._refresh()

    def is_computing(self) -> bool:
        """Whether a layout is on its way."""
        return self._layouter.is_busy()

    # Building

    def _add_controls(self) -> None:
        self._count = Stepper(
            self.tr("Number of simulated devices"),
            self.tr("How many devices the experts are placed on (simulated)"),
            self,
        )
        self._count.stepped.connect(self.devices_changed)
        options = {"contiguous": self.tr("contiguous"), "round-robin": self.tr("round-robin")}
        self._placement = PlacementButton(options, self)
        self._placement.setAccessibleName(self.tr("Placement of experts"))
        self._placement.setToolTip(
            self.tr("contiguous: neighbouring experts share a device; round-robin: experts are dealt out like cards")
        )
        self._placement.chosen.connect(self.placement_chosen)
        self._switch = Segmented([("load", self.tr("load")), ("graph", self.tr("graph"))], self)
        self._switch.chosen.connect(self._choose_mode)
        for tool in (self._count, self._placement, self._switch):
            self.add_tool(tool)

    def _load_page(self) -> QWidget:
        page = QWidget(self)
        words = LoadWords(
            self.tr("assignments per simulated device"),
            self.tr("tokens sent, from device × to device"),
            self.tr("mean"),
        )
        self._canvas = LoadCanvas(words, page)
        self._canvas.setAccessibleName(self.tr("Load and traffic of the simulated devices"))
        self._canvas.device_chosen.connect(self.device_chosen)
        self._canvas.row_chosen.connect(self._choose_row)
        self._canvas.place_hovered.connect(self._hover_load)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 4, 0, 8)
        column.setSpacing(4)
        column.addWidget(self._canvas, 1)
        self._numbers = NumbersRow(self.tr("ALL LAYERS"), self._formulas(), page)
        self._path = QLabel("", page)
        self._path.setProperty("role", "muted")
        self._path.setTextFormat(Qt.TextFormat.PlainText)
        self._path.setContentsMargins(0, 0, 12, 0)
        line = QHBoxLayout()
        line.addWidget(self._numbers, 1)
        line.addWidget(self._path)
        column.addLayout(line)
        return page

    def _formulas(self) -> dict[str, str]:
        return {
            "balancedness": self.tr("balancedness = Σ mean load ÷ Σ largest load, summed over layers; 1 is perfect"),
            "MaxVio": self.tr("MaxVio = largest load ÷ mean load − 1; 0 is perfect"),
            "CV": self.tr("CV = standard deviation of the loads ÷ their mean; 0 is perfect"),
            "Gini": self.tr("Gini = Σᵢ Σⱼ |xᵢ − xⱼ| ÷ (2 n² mean); 0 is perfect"),
            "entropy": self.tr("entropy = −Σ p ln p of the load shares ÷ ln n; 1 is perfect"),
        }

    def _graph_page(self) -> QWidget:
        page = QWidget(self)
        self._graph_canvas = GraphCanvas(page)
        self._graph_canvas.setAccessibleName(self.tr("Graph of experts that fire together"))
        self._graph_canvas.waiting = self.tr("Laying out the graph…")
        self._graph_canvas.expert_chosen.connect(self.expert_chosen)
        self._graph_canvas.expert_hovered.connect(self._hover_expert)
        self._side_title = QLabel("", page)
        self._side_title.setProperty("role", "section")
        self._side = QLabel("", page)
        self._side.setTextFormat(Qt.TextFormat.PlainText)
        self._side.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._side.setWordWrap(True)
        side = QVBoxLayout()
        side.setContentsMargins(0, 10, 12, 8)
        side.setSpacing(6)
        side.addWidget(self._side_title)
        side.addWidget(self._side, 1)
        for label in (self._side_title, self._side):
            label.setFixedWidth(SIDE_WIDTH)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._graph_canvas, 1)
        row.addLayout(side)
        return page

    # Drawing

    def _refresh(self) -> None:
        shown = self._load if self._mode == "load" else self._graph
        if shown is None or (self._mode == "graph" and self._is_dense()):
            self.show_hint(self._hint_text if shown is None else self._dense_text())
            return
        self._pages.setCurrentIndex(0 if self._mode == "load" else 1)
        for tool in (self._count, self._placement):
            tool.setVisible(self._mode == "load")
        if self._load is not None:
            layers = self._load.layers
            row = layers.index(self._selection.layer) if self._selection.layer in layers else None
            self._canvas.show_chosen(row, self._selection.device)
        self._show_neighbours()
        self.show_sentence(self._load_sentence() if self._mode == "load" else self._graph_sentence())

    def _is_dense(self) -> bool:
        return self._load is not None and self._selection.layer not in self._load.layers

    def _dense_text(self) -> str:
        told = self.tr("layer {0} is dense: it has no experts that could fire together. Choose another layer.")
        return told.format(self._selection.layer)

    def _load_sentence(self) -> str:
        load = self._load
        if load is None:
            return ""
        devices = self.tr("1 device") if load.devices == 1 else self.tr("{0} devices").format(load.devices)
        name = self._placement.label(load.placement)
        # The header may have room for the beginning only, and its tools tell devices and placement again.
        simulated, placed = self.tr("simulated"), f"{devices} · {name}"
        if self._is_dense():
            return f"{simulated} · {self.tr('layer {0} is dense').format(self._selection.layer)} · {placed}"
        row = load.layers.index(self._selection.layer)
        told = self.tr("layer {0}: balancedness {1}, MaxVio {2}")
        numbers = _told(float(load.balancedness[row])), _told(float(load.max_violation[row]))
        return f"{simulated} · {told.format(self._selection.layer, *numbers)} · {placed}"

    def _path_text(self, path: TokenPath) -> str:
        sent = ", ".join(str(device) for device in path.devices)
        return self.tr("token {0} “{1}”: home {2} → {3}").format(
            path.token, visible(path.text, limit=8), path.home, sent
        )

    def _graph_sentence(self) -> str:
        graph = self._graph
        if graph is None:
            return ""
        parts = [self.tr("layer {0}").format(graph.layer), self.tr("{0} experts").format(len(graph.counts))]
        if self._picture is not None:
            parts.append(self.tr("{0} communities").format(self._picture.communities))
        edges = self.tr("lines: pairs more often than chance")
        if len(graph.counts) > ALL_EDGES_UP_TO:
            edges = self.tr("lines: the {0} strongest pairs of each beyond chance").format(STRONGEST)
        return " · ".join([*parts, edges])

    def _show_numbers(self, load: DeviceLoad) -> None:
        values = (load.total_balancedness, load.total_max_violation, load.cv, load.gini, load.entropy)
        self._numbers.show_values({name: _told(value) for name, value in zip(self._formulas(), values, strict=True)})

    def _show_picture(self, picture: GraphPicture | None) -> None:
        self._picture = picture
        self._graph_canvas.show_picture(picture)
        if picture is not None:
            self._refresh()

    def _show_neighbours(self) -> None:
        graph, expert = self._graph, self._selection.expert
        if graph is None or expert is None or expert >= len(graph.counts):
            self._graph_canvas.show_chosen(None)
            self._side_title.setText(self.tr("FIRE TOGETHER"))
            self._side.setText(self.tr("Choose an expert to see which ones fire with it."))
            return
        self._graph_canvas.show_chosen(expert)
        self._side_title.setText(self.tr("EXPERT {0} FIRES WITH").format(expert))
        self._side.setText("\n".join(self._neighbour_lines(graph, expert)))

    def _neighbour_lines(self, graph: ExpertGraph, expert: int) -> list[str]:
        found = neighbours(graph.counts, graph.together, expert, most=MOST_NEIGHBOURS)
        if not found:
            return [self.tr("nobody more often than chance")]
        line = self.tr("{0}  ({1:,} tokens, {2:.1f}× chance)")
        # Figure spaces are as wide as digits, so the numbers stand under one another.
        width = max(len(str(other.expert)) for other in found)
        return [line.format(f"{other.expert:\u2007>{width}}", other.tokens, other.lift) for other in found]

    # What a person does

    def _choose_mode(self, mode: str) -> None:
        self.show_mode(mode)
        self.mode_chosen.emit(mode)

    def _choose_row(self, row: int) -> None:
        if self._load is not None:
            self.layer_chosen.emit(self._load.layers[row])

    def _hover_load(self, place: LoadPlace | None) -> None:
        text = "" if place is None or self._load is None else self._load_text(self._load, place)
        self._canvas.setToolTip(text)
        self.hovered_text.emit(text)

    def _load_text(self, load: DeviceLoad, place: LoadPlace) -> str:
        if place.sender is not None and place.device is not None:
            tokens = int(load.traffic[place.sender, place.device])
            if place.sender == place.device:
                return self.tr("{0:,} tokens stay on device {1} (simulated)").format(tokens, place.sender)
            told = self.tr("{0:,} tokens sent from device {1} to device {2} (simulated)")
            return told.format(tokens, place.sender, place.device)
        if place.row is None:
            return ""
        layer, loads = load.layers[place.row], load.device_load[place.row]
        if place.device is None:
            told = self.tr("layer {0}: {1:,.0f} assignments, mean {2:,.1f} per device")
            return told.format(layer, float(loads.sum()), float(loads.mean()))
        told = self.tr("layer {0}, device {1} (simulated): {2:,.0f} assignments, {3:.2f} × mean")
        here = float(loads[place.device])
        return told.format(layer, place.device, here, here / max(float(loads.mean()), 1e-9))

    def _hover_expert(self, expert: int) -> None:
        graph = self._graph
        if graph is None or not 0 <= expert < len(graph.counts):
            self._graph_canvas.setToolTip("")
            self.hovered_text.emit("")
            return
        told = self.tr("layer {0}, expert {1} (device {2}): {3:,} tokens")
        text = told.format(graph.layer, expert, int(graph.expert_device[expert]), int(graph.counts[expert]))
        self._graph_canvas.setToolTip(text)
        self.hovered_text.emit(text)


def _told(value: float) -> str:
    """Two decimals, or a dash where there was no load to speak of."""
    return f"{value:.2f}" if isfinite(value) else "–"
