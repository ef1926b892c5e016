import gc
import threading
import weakref

import pytest
from PySide6.QtCore import QObject, QThread, QTimer

from app.collecting import Collector


@pytest.fixture
def collector(qapp):
    collector = Collector()
    yield collector
    collector.stop()


def cycle_with_a_timer(died_in: list) -> None:
    """Garbage that only the cyclic collector finds, and that says in which thread it dies."""
    holder = QObject()
    holder.timer = QTimer(holder, interval=1000)
    holder.timer.start()
    holder.itself = holder
    weakref.finalize(holder, lambda: died_in.append(QThread.currentThread()))


def allocate(kept: list) -> None:
    """More containers than any threshold of the collector's, and none of them freed."""
    kept += [[] for _ in range(50_000)]


def test_another_thread_never_collects_and_the_window_s_does(collector, qapp):
    collector.start()
    died_in, kept = [], []
    cycle_with_a_timer(died_in)
    other = threading.Thread(target=allocate, args=(kept,))
    other.start()
    other.join()
    assert died_in == []
    collector.collect()
    assert died_in == [qapp.thread()]


def test_stopping_gives_collecting_back(collector):
    collector.start()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    collector.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_nothing_due_is_nothing_done(collector):
    collector.start()
    gc.collect()
    before = [each["collections"] for each in gc.get_stats()]
    collector.collect()
    assert [each["collections"] for each in gc.get_stats()] == before
