"""Graph layouts computed beside the window's thread, one at a time, at most one every two seconds."""

from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

from PySide6.QtCore import QObject, QTimer, Signal

from widgets.devices.data import ExpertGraph
from widgets.devices.layout import GraphPicture, lay_out

LEAST_SECONDS = 2.0
POLL_MILLISECONDS = 30


class Layouter(QObject):
    """Lays graphs out in a thread of its own.

    The thread never touches Qt: a timer fetches its result, so nothing can arrive at a widget that is gone.
    Signals: `laid_out(object)`, a GraphPicture; results for a layer no longer asked for are dropped.
    """

    laid_out = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="expert graph")
        self._running: Future[GraphPicture] | None = None
        self._wanted: ExpertGraph | None = None
        self._last: GraphPicture | None = None
        self._started = -LEAST_SECONDS
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.timeout.connect(self._poll)

    def ask(self, graph: ExpertGraph) -> None:
        """Want this graph laid out; a later wish replaces an earlier one that has not begun."""
        self._wanted = graph
        self._poll()

    def drop(self) -> None:
        """Want nothing any more; a result on its way is thrown away."""
        self._wanted = self._last = self._running = None
        self._timer.stop()

    def close(self) -> None:
        """Drop everything and let the thread end."""
        self.drop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def is_busy(self) -> bool:
        """Whether a layout is being computed or waited for."""
        return self._running is not None or self._wanted is not None

    def _poll(self) -> None:
        if self._running is not None and self._running.done():
            self._finish(self._running)
        if self._running is None and self._wanted is not None and self._may_start(self._wanted):
            self._start(self._wanted)
        if not self.is_busy():
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()

    def _may_start(self, graph: ExpertGraph) -> bool:
        return self._before(graph) is None or monotonic() - self._started >= LEAST_SECONDS

    def _before(self, graph: ExpertGraph) -> GraphPicture | None:
        last = self._last
        same = last is not None and last.graph.layer == graph.layer and len(last.graph.counts) == len(graph.counts)
        return last if same else None

    def _start(self, graph: ExpertGraph) -> None:
        before = self._before(graph)
        self._wanted = None
        self._started = monotonic()
        self._running = self._threads.submit(lay_out, graph, None if before is None else before.places)

    def _finish(self, done: "Future[GraphPicture]") -> None:
        self._running = None
        picture = done.result()
        if self._wanted is not None and self._wanted.layer != picture.graph.layer:
            return
        self._last = picture
        self.laid_out.emit(picture)
