"""The engine process: frames in, `serve`, frames out, and a heartbeat. The one seam where torch is imported.

Four threads. The main one computes; one reads commands, one writes events, one beats. The reader starts
before torch is imported, so the death of the window ends the engine at any moment of its life.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import msgspec

from model.messages import FRAME_LIMIT, Command, Event, Heartbeat, Shutdown, decode_command, encode

HEARTBEAT_SECONDS = 0.5
_SIZES = ("VmRSS", "RssAnon", "RssShmem")
GRACE_SECONDS = 1.0  # for the piece of work in hand when the window has gone
INBOX_LIMIT = 1024  # commands; a full inbox is not read, so the asker's own bounded queue fills
SPIN_COUNT = "2000"
OUTBOX_FRAMES = 32  # beyond either limit `congested` asks `serve` to gather instead of sending
OUTBOX_BYTES = 32 * 2**20


class PipeInbox:
    """Commands as they arrive, and whether the other side keeps up with the answers."""

    def __init__(self, outbox: "PipeOutbox") -> None:
        self._outbox = outbox
        self._commands: deque[Command] = deque()
        self._changed = threading.Condition()
        self._busy_since: float | None = time.monotonic()

    def put(self, command: Command) -> None:
        """Add one command; waits while the inbox is full."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._commands) < INBOX_LIMIT)
            self._commands.append(command)
            self._changed.notify_all()

    def close(self) -> None:
        """The asker has gone: what it still wanted does not matter."""
        with self._changed:
            self._commands.clear()
            self._commands.append(Shutdown())
            self._changed.notify_all()

    def take(self, *, wait: bool) -> Command | None:
        """The next command; None when there is none and `wait` is false."""
        with self._changed:
            if wait:
                self._busy_since = None
                self._changed.wait_for(lambda: bool(self._commands))
            self._busy_since = time.monotonic()
            command = self._commands.popleft() if self._commands else None
            self._changed.notify_all()
            return command

    def congested(self) -> bool:
        """Whether events should be gathered for a while instead of sent."""
        return self._outbox.congested()

    def age(self) -> float:
        """Seconds since the current piece of work began; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since


class PipeOutbox:
    """Frames on their way to the window. Never blocks who puts, so `serve` asks `congested` first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._open = True
        self._changed = threading.Condition()

    def put(self, event: Event) -> None:
        """Queue one event."""
        frame = encode(event)
        with self._changed:
            if self._open:
                self._frames.append(frame)
                self._bytes += len(frame)
                self._changed.notify_all()

    def congested(self) -> bool:
        """Whether more waits to be written than a window that keeps up would leave."""
        return len(self._frames) >= OUTBOX_FRAMES or self._bytes >= OUTBOX_BYTES

    def write_all(self) -> None:
        """Write frames until `finish`, or until nobody reads them any more."""
        while (frame := self._next()) is not None:
            try:
                self._connection.send_bytes(frame)
            except OSError:
                break
        with self._changed:
            self._open = False
            self._frames.clear()

    def finish(self) -> None:
        """Accept no more; `write_all` returns once everything queued is written."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._frames) or not self._open)
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._bytes -= len(frame)
            return frame


def main(connection: Connection) -> NoReturn:
    """Serve one window until it asks for the end or goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the window's to handle
    logging.basicConfig(format="engine: %(levelname)s %(name)s: %(message)s")
    outbox = PipeOutbox(connection)
    inbox = PipeInbox(outbox)
    ended = threading.Event()
    writer = threading.Thread(target=outbox.write_all, name="writer", daemon=True)
    writer.start()
    threading.Thread(target=_read, args=(connection, inbox, ended), name="reader", daemon=True).start()
    threading.Thread(target=_beat, args=(inbox, outbox, ended), name="heartbeat", daemon=True).start()

    # A thread that waits for the others sleeps soon instead of spinning: where the window, or anything else,
    # takes a core, prefill on two cores was three to seven times slower with the default.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    # The only import of torch and everything above it; the window's process never runs this line.
    from model.engine.serve import serve

    with contextlib.closing(serve(inbox)) as events:
        for event in events:
            outbox.put(event)
    ended.set()
    outbox.finish()
    writer.join(GRACE_SECONDS)
    _leave()


def _leave() -> NoReturn:
    """End at once: kernels may still be compiled on other threads, and tearing Python down beside them crashes."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)


def _read(connection: Connection, inbox: PipeInbox, ended: threading.Event) -> None:
    try:
        while True:
            inbox.put(decode_command(connection.recv_bytes(FRAME_LIMIT)))
    except (EOFError, OSError):
        pass
    except msgspec.DecodeError as error:
        logging.getLogger(__name__).error("unreadable command: %s", error)
    inbox.close()
    if not ended.wait(GRACE_SECONDS):
        os._exit(1)


def _beat(inbox: PipeInbox, outbox: PipeOutbox, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        if not outbox.congested():
            resident, unreclaimable = memory_in_use()
            outbox.put(Heartbeat(step_age=inbox.age(), resident_bytes=resident, unreclaimable_bytes=unreclaimable))


def memory_in_use() -> tuple[int, int]:
    """Bytes in memory, and those of them that no file backs, so that they cannot be given back (RssAnon + RssShmem).

    Where the system has no such table, both are the most that the process ever had; 0 where it does not tell at all.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return (_most_ever(),) * 2
    sizes = {
        name: int(value.split()[0]) * 1024
        for name, _, value in (line.partition(":") for line in lines)
        if name in _SIZES
    }
    return sizes.get("VmRSS", 0), sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0)


def _most_ever() -> int:
    if sys.platform == "win32":
        return 0
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
