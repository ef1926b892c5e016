"""Run Qt's event loop until something is so: for `render`, pictures, benchmarks and tests."""

from collections.abc import Callable

from PySide6.QtCore import QEventLoop, QTimer

from model.problems import Problem

LOOK_MS = 10


def wait_until(so: Callable[[], bool], *, what: str, seconds: float = 120.0) -> None:
    """Serve events until `so()` holds. Raises Problem, naming what was waited for, when time is up."""
    if so():
        return
    loop = QEventLoop()
    look, limit = QTimer(interval=LOOK_MS), QTimer(singleShot=True, interval=round(seconds * 1000))
    look.timeout.connect(lambda: loop.quit() if so() else None)
    limit.timeout.connect(lambda: loop.exit(1))
    look.start()
    limit.start()
    if loop.exec():
        raise Problem(f"Waited {seconds:g} seconds in vain for {what}; try again, or with a smaller input.")


def serve_for(seconds: float) -> None:
    """Serve events for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()
