"""Panels in docks: the panel's own header is the dock's title bar, so it can be dragged."""

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from widgets.panel import Panel

Grid = tuple[tuple[Panel, Panel], tuple[Panel, Panel]]


class DockArea(QMainWindow):
    """Four views in a two by two grid, some more in tabs behind the first; they can be moved, closed, and put back.

    Signals: `seen()`: other views than before are on screen.
    """

    seen = Signal()

    def __init__(self, grid: Grid, *, behind: tuple[Panel, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )  # without animation: nothing moves by itself
        self._grid = tuple(tuple(_dock(panel, self) for panel in row) for row in grid)
        self._behind = tuple(_dock(panel, self) for panel in behind)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self._compact = False
        self._on_screen = {dock.objectName(): dock not in self._behind for dock in self.docks()}
        self.reset()
        for dock in self.docks():
            dock.visibilityChanged.connect(partial(self._note, dock.objectName()))

    def docks(self) -> list[QDockWidget]:
        """All docks: the first with what is behind it, then row by row."""
        first, *others = [dock for row in self._grid for dock in row]
        return [first, *self._behind, *others]

    def on_screen(self) -> frozenset[str]:
        """The titles of the panels that are not behind another one."""
        return frozenset(title for title, shown in self._on_screen.items() if shown)

    def reset(self) -> None:
        """The arrangement a new window has."""
        (north_west, north_east), (south_west, south_east) = self._grid
        for dock in self.docks():
            dock.setFloating(False)
            self.removeDockWidget(dock)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, north_west)
        if self._compact:
            for dock in (north_east, south_west, south_east):
                self.tabifyDockWidget(north_west, dock)
        else:
            self.splitDockWidget(north_west, south_west, Qt.Orientation.Vertical)
            self.splitDockWidget(north_west, north_east, Qt.Orientation.Horizontal)
            self.splitDockWidget(south_west, south_east, Qt.Orientation.Horizontal)
        for dock in self._behind:
            self.tabifyDockWidget(north_west, dock)
        for dock in self.docks():
            dock.show()
        north_west.raise_()
        if not self._compact:
            self._share_out()

    def bring_forward(self, panel: Panel) -> None:
        """Show a panel that is hidden behind others or closed."""
        dock = panel.parentWidget()
        if isinstance(dock, QDockWidget):
            dock.show()
            dock.raise_()

    def set_compact(self, compact: bool) -> None:
        """One view at a time in tabs, for a window too small for four."""
        if compact != self._compact:
            self._compact = compact
            self.reset()

    def _note(self, title: str, shown: bool) -> None:
        if self._on_screen[title] != shown:
            self._on_screen[title] = shown
            self.seen.emit()

    def _share_out(self) -> None:
        (north_west, north_east), (south_west, south_east) = self._grid
        self.resizeDocks([north_west, north_east], [56, 50], Qt.Orientation.Horizontal)
        self.resizeDocks([south_west, south_east], [56, 50], Qt.Orientation.Horizontal)
        self.resizeDocks([north_west, south_west], [50, 50], Qt.Orientation.Vertical)


def _dock(panel: Panel, parent: QWidget) -> QDockWidget:
    dock = QDockWidget(panel.title(), parent)
    dock.setObjectName(panel.title())
    dock.setFeatures(
        QDockWidget.DockWidgetFeature.DockWidgetMovable
        | QDockWidget.DockWidgetFeature.DockWidgetClosable
        | QDockWidget.DockWidgetFeature.DockWidgetFloatable
    )
    dock.setWidget(panel)
    dock.setTitleBarWidget(panel.detach_header())
    dock.setMinimumSize(300, 180)
    return dock
