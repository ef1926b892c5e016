"""The window's end of the engine process: commands out, events in, death noticed. Qt-free."""

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection

import msgspec

from app import worker
from model.messages import FRAME_LIMIT, PROTOCOL, Command, Event, Ready, Shutdown, decode_event, encode

QUEUE_LIMIT = 1024  # commands that an engine has not taken yet
CLOSE_SECONDS = 1.0  # for the engine to end by itself before it is killed


class EngineClient:
    """One engine process. Every method returns at once, except `close`, which takes at most two seconds.

    `on_event` and `on_death` are called on a thread of the client's own. `on_death` comes at most once,
    after the last event, with one sentence; never after `close`. While `on_event` blocks, the engine
    goes on and gathers: it sends bigger batches, not more of them.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        on_death: Callable[[str], None],
        *,
        entry: Callable[[Connection], None] = worker.main,
    ) -> None:
        self._on_event = on_event
        self._on_death = on_death
        self._requests = 0
        self._closing = False
        self._outgoing: queue.Queue[bytes | None] = queue.Queue(QUEUE_LIMIT)
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=entry, args=(theirs,), name="latent-loupe-engine", daemon=True)
        with _no_interrupt():
            self._process.start()
        theirs.close()  # as long as it were open here, the engine's death would go unnoticed
        self._writer = threading.Thread(target=self._write, name="engine-writer", daemon=True)
        self._reader = threading.Thread(target=self._read, name="engine-reader", daemon=True)
        self._writer.start()
        self._reader.start()

    @property
    def process_id(self) -> int:
        """The engine's process id."""
        assert self._process.pid is not None, "the process was started in __init__"
        return self._process.pid

    def next_request(self) -> int:
        """A request number that this client has not given out before; never 0."""
        self._requests += 1
        return self._requests

    def send(self, command: Command) -> bool:
        """Queue a command. False when the engine is gone, or has left a thousand commands lying."""
        if not self._reader.is_alive():
            return False
        try:
            self._outgoing.put_nowait(encode(command))
        except queue.Full:
            return False
        return True

    def kill(self) -> None:
        """End the engine at once; `on_death` follows."""
        self._process.kill()

    def close(self) -> None:
        """Ask the engine to end, and see to it that it does. Harmless after its death, and a second time."""
        self._closing = True
        self.send(Shutdown())
        if threading.current_thread() is self._reader:
            return
        self._reader.join(CLOSE_SECONDS)
        if self._reader.is_alive():
            self.kill()
            self._reader.join(CLOSE_SECONDS)

    def _read(self) -> None:
        reason = ""
        try:
            while True:
                event = decode_event(self._receive())
                if isinstance(event, Ready) and event.protocol != PROTOCOL:
                    reason = f"Engine stopped: it speaks protocol {event.protocol} and this window {PROTOCOL}"
                    break
                if not self._closing:
                    self._on_event(event)
        except EOFError:
            pass
        except msgspec.DecodeError:
            reason = "Engine stopped: it sent something unreadable, so it was ended"
        self._end(reason)

    def _receive(self) -> bytes:
        """One frame. Raises EOFError once the engine is gone, DecodeError for one beyond the limit."""
        try:
            return self._connection.recv_bytes(FRAME_LIMIT)
        except OSError as error:
            # recv_bytes tells an oversized frame only by this wording; anything else is a broken pipe.
            if "bad message length" in str(error):
                raise msgspec.DecodeError(str(error)) from error
            raise EOFError from error

    def _end(self, reason: str) -> None:
        if reason:
            self._process.kill()
        self._process.join(CLOSE_SECONDS)
        if self._process.is_alive():  # the pipe is gone, so nothing can be asked of it any more
            self._process.kill()
            self._process.join()
        self._drop_queued()
        self._writer.join(CLOSE_SECONDS)
        self._connection.close()
        if not self._closing:
            self._on_death(reason or _cause(self._process.exitcode))

    def _write(self) -> None:
        while (frame := self._outgoing.get()) is not None:
            try:
                self._connection.send_bytes(frame)
            except OSError:
                return  # the reader sees the same end and reports it

    def _drop_queued(self) -> None:
        """Forget what the engine never took, and let the writer end."""
        try:
            while True:
                self._outgoing.get_nowait()
        except queue.Empty:
            self._outgoing.put_nowait(None)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl-C in the terminal reaches every process of the program; one started in here never hears it."""
    resource_tracker.ensure_running()  # else `spawn` starts it just now, and unblocks the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(exitcode: int | None) -> str:
    if exitcode == -signal.SIGBUS:  # a page of a mapped file is no longer there
        return "Engine stopped (signal 7): a file that it was reading has been cut off or its disk is gone"
    if exitcode is not None and exitcode < 0:
        return f"Engine stopped (signal {-exitcode})"
    return f"Engine stopped (exit status {exitcode})"
