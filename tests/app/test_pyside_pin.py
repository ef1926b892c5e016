"""Why PySide6-Essentials is pinned: 6.12.0 loses a reference to True at every emit, to None at every repaint.

On Python 3.11 the interpreter then aborts within seconds of animation; from 3.12 on both are immortal.
"""

import sys

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

TIMES = 3000
SLACK = 50  # what the interpreter itself may come and go by


class Emitter(QObject):
    happened = Signal(bool)


def test_emits_and_repaints_keep_the_reference_counts_of_true_and_none(qtbot):
    emitter, widget = Emitter(), QWidget()
    qtbot.addWidget(widget)
    widget.show()
    seen: list[int] = []
    emitter.happened.connect(lambda _value: seen.append(1))
    true_before, none_before = sys.getrefcount(True), sys.getrefcount(None)
    for _ in range(TIMES):
        emitter.happened.emit(True)
        widget.repaint()
    assert len(seen) == TIMES
    assert abs(sys.getrefcount(True) - true_before) < SLACK
    assert abs(sys.getrefcount(None) - none_before) < SLACK
