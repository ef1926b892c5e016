"""The attention study in a window of its own, and what it shows of the State."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.state import State

if TYPE_CHECKING:  # made late, with plots of pyqtgraph, which the first paint need not wait for
    from widgets.study.study_view import StudyView


class StudyWindow(QWidget):
    """Holds the panel; Esc stops a comparison that goes on, else closes the window."""

    def __init__(self, view: StudyView, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle(view.title())
        self.resize(1120, 820)
        self._view = view
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(view)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            if self._view.is_running():
                self._view.stop_wanted.emit()
            else:
                self.close()
            return
        super().keyPressEvent(event)


def present_study(view: StudyView, state: State) -> None:
    """The report, or why there is none, and the comparison as far as it has come."""
    study = state.study
    if study.report is None:
        view.clear(study.problem or None)
        return
    view.show_report(study.report)
    view.show_running(bool(study.request))
    view.show_curves(study.curves, study.texts)
