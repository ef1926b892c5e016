import mmap
import os
import select
import signal
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path

import pytest

from app.worker import OUTBOX_FRAMES, PipeInbox, PipeOutbox, memory_in_use
from model.messages import Describe, Heartbeat, Shutdown, decode_event
from tests.parity.tiny import make_checkpoint

ROOT = Path(__file__).parents[2]
DEATH_SECONDS = 30.0  # at most: what waits for it goes on at once

# A window that does what `{commands}` says and tells its engine's process id at the event `{moment}`.
WINDOW = """
import signal, sys
from app.client import EngineClient
from model.messages import *
def hear(event):
    if isinstance(event, {moment}):
        print(client.process_id, flush=True)
client = EngineClient(hear, print)
for command in {commands}:
    client.send(command)
signal.pause()
"""

# A window that closes as soon as a model is open, while kernels are compiled, and tells how its engine ended.
CLOSING = """
import threading
from app.client import EngineClient
from model.messages import OpenCheckpoint, Opened
opened = threading.Event()
client = EngineClient(lambda event: opened.set() if isinstance(event, Opened) else None, print)
client.send(OpenCheckpoint(path={path!r}))
opened.wait()
client.close()
print(client._process.exitcode)
"""


@pytest.mark.parametrize(
    ("moment", "commands"),
    [
        ("Loading", "[OpenCheckpoint(path={path!r})] * 300"),
        ("Grown", "[OpenCheckpoint(path={path!r}), Generate(token_ids=[1], max_new_tokens=10**6)]"),
    ],
    ids=["loading", "running"],
)
def test_a_busy_engine_ends_when_its_window_is_killed(tmp_path: Path, moment: str, commands: str) -> None:
    make_checkpoint(tmp_path, "v2", eos_token_id=None, max_position_embeddings=10**6)
    code = WINDOW.format(moment=moment, commands=commands.format(path=str(tmp_path)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    window = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    assert window.stdout is not None
    with window.stdout:
        engine = os.pidfd_open(int(window.stdout.readline()))
        window.kill()
        window.wait()
    try:
        assert select.select([engine], [], [], DEATH_SECONDS)[0]
    finally:
        os.close(engine)


def test_an_engine_that_ends_while_kernels_are_compiled_is_silent(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "model", "v2")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    code = CLOSING.format(path=str(tmp_path / "model"))
    closed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert closed.stderr == ""
    assert int(closed.stdout) in (0, -signal.SIGKILL)  # the latter where it took more than its second


def test_the_outbox_never_blocks_and_says_when_nobody_reads() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        outbox = PipeOutbox(ours)
        assert not outbox.congested()
        for _ in range(OUTBOX_FRAMES):
            outbox.put(Heartbeat(step_age=0.0, resident_bytes=0))
        assert outbox.congested()


def test_the_outbox_writes_what_it_has_in_order_and_ends() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        outbox = PipeOutbox(ours)
        for number in range(5):
            outbox.put(Heartbeat(request=number, step_age=0.0, resident_bytes=0))
        outbox.finish()
        outbox.write_all()
        assert [decode_event(theirs.recv_bytes()).request for _ in range(5)] == list(range(5))
        outbox.put(Heartbeat(step_age=0.0, resident_bytes=0))
        assert not theirs.poll()


def test_a_reader_that_has_gone_ends_the_writer() -> None:
    ours, theirs = Pipe()
    with ours:
        outbox = PipeOutbox(ours)
        theirs.close()
        outbox.put(Heartbeat(step_age=0.0, resident_bytes=0))
        outbox.write_all()
        assert not outbox.congested()


def test_a_closed_inbox_forgets_the_rest_and_asks_for_the_end() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        inbox = PipeInbox(PipeOutbox(ours))
        inbox.put(Describe(path="a"))
        inbox.put(Describe(path="b"))
        assert isinstance(inbox.take(wait=False), Describe)
        inbox.close()
        assert isinstance(inbox.take(wait=True), Shutdown)
        assert inbox.take(wait=False) is None


def test_a_waiting_engine_has_no_age_and_a_working_one_has() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        inbox = PipeInbox(PipeOutbox(ours))
        inbox.take(wait=False)
        assert inbox.age() > 0
        waiting = threading.Thread(target=inbox.take, kwargs={"wait": True})
        waiting.start()
        while inbox.age() > 0:
            pass
        inbox.put(Shutdown())
        waiting.join()
        assert inbox.age() > 0


def test_pages_of_a_file_can_be_given_back_and_other_memory_cannot(tmp_path: Path) -> None:
    size, slack = 64 * 2**20, 8 * 2**20
    path = tmp_path / "pages"
    path.write_bytes(bytes(size))
    resident, unreclaimable = memory_in_use()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        assert pages.find(b"1") == -1  # touches every page
        with_file = memory_in_use()
        assert with_file[0] - resident == pytest.approx(size, abs=slack)
        assert with_file[1] - unreclaimable == pytest.approx(0, abs=slack)
    before = memory_in_use()
    own = bytearray(b"1" * size)
    assert memory_in_use()[1] - before[1] == pytest.approx(len(own), abs=slack)
