import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from app.client import EngineClient
from model.messages import FRAME_LIMIT, PROTOCOL, Describe, Event, Heartbeat, Ready, encode

DEATH_SECONDS = 30.0  # at most: what waits for it goes on at once
START_SECONDS = 60.0
ROOT = Path(__file__).parents[2]


def engine_that_talks_rubbish(connection: Connection) -> None:
    connection.send_bytes(b"\xc1 no message of ours")
    connection.recv_bytes()


def engine_that_announces_a_huge_frame(connection: Connection) -> None:
    os.write(connection.fileno(), (FRAME_LIMIT + 1).to_bytes(4, "big"))
    connection.recv_bytes()


def engine_of_another_version(connection: Connection) -> None:
    connection.send_bytes(encode(Ready(protocol=PROTOCOL + 1)))
    connection.recv_bytes()


def engine_that_reads_nothing(connection: Connection) -> None:
    signal.pause()


class Ear:
    """A client that keeps what it hears."""

    def __init__(self, **options: Any) -> None:
        self.events: queue.Queue[Event | str] = queue.Queue()
        self.deaths: queue.Queue[str] = queue.Queue()
        self.client = EngineClient(self.events.put, self.die, **options)

    def die(self, sentence: str) -> None:
        self.deaths.put(sentence)
        self.events.put(sentence)

    def wait_for(self, kind: type[Event]) -> Event:
        while True:
            event = self.events.get(timeout=START_SECONDS)
            assert not isinstance(event, str), event
            if isinstance(event, kind):
                return event


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.client.close()


def test_a_killed_engine_is_noticed_within_two_seconds(ear: Ear) -> None:
    ear.wait_for(Ready)
    os.kill(ear.client.process_id, signal.SIGKILL)
    assert ear.deaths.get(timeout=DEATH_SECONDS) == "Engine stopped (signal 9)"
    assert not ear.client.send(Describe(path="anything"))


def test_an_engine_killed_while_it_starts_is_noticed_too(ear: Ear) -> None:
    ear.client.kill()
    assert ear.deaths.get(timeout=DEATH_SECONDS) == "Engine stopped (signal 9)"


def test_closing_after_a_death_is_silent(ear: Ear) -> None:
    ear.client.kill()
    ear.deaths.get(timeout=DEATH_SECONDS)
    ear.client.close()
    ear.client.close()
    assert ear.deaths.empty()


def test_closing_ends_the_engine_and_reports_no_death(ear: Ear) -> None:
    ear.wait_for(Ready)
    ear.client.close()
    assert not Path(f"/proc/{ear.client.process_id}").exists()
    assert ear.deaths.empty()


def test_rubbish_from_the_engine_ends_it_with_a_sentence() -> None:
    ear = Ear(entry=engine_that_talks_rubbish)
    assert "unreadable" in ear.deaths.get(timeout=START_SECONDS)


def test_a_frame_beyond_the_limit_ends_the_engine_before_it_is_read() -> None:
    ear = Ear(entry=engine_that_announces_a_huge_frame)
    assert "unreadable" in ear.deaths.get(timeout=START_SECONDS)


def test_an_engine_of_another_version_is_ended_with_both_numbers() -> None:
    ear = Ear(entry=engine_of_another_version)
    sentence = ear.deaths.get(timeout=START_SECONDS)
    assert str(PROTOCOL) in sentence
    assert str(PROTOCOL + 1) in sentence


def test_sending_never_blocks_and_says_when_the_engine_takes_nothing() -> None:
    ear = Ear(entry=engine_that_reads_nothing)
    command = Describe(path="x" * 10_000)
    began = time.monotonic()
    while ear.client.send(command):
        assert time.monotonic() - began < START_SECONDS
    ear.client.kill()
    assert ear.deaths.get(timeout=DEATH_SECONDS) == "Engine stopped (signal 9)"


def test_request_numbers_are_never_repeated_and_never_zero(ear: Ear) -> None:
    assert [ear.client.next_request() for _ in range(3)] == [1, 2, 3]


def test_an_idle_engine_beats_with_age_zero(ear: Ear) -> None:
    ear.wait_for(Ready)
    beat = ear.wait_for(Heartbeat)
    assert isinstance(beat, Heartbeat)
    assert beat.step_age == 0.0
    assert beat.resident_bytes > 10 * 2**20


def test_importing_the_client_and_main_loads_neither_torch_nor_qt() -> None:
    code = "import sys, main, app.client; print([m for m in ('torch', 'PySide6', 'model.engine') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_engine_ends_when_its_window_is_killed() -> None:
    code = """
import signal, sys
from app.client import EngineClient
from model.messages import Ready
client = EngineClient(lambda event: print(client.process_id, flush=True) if isinstance(event, Ready) else None, print)
signal.pause()
"""
    window = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert window.stdout is not None
    with window.stdout:
        engine = int(window.stdout.readline())
        window.kill()
        window.wait()
    assert gone_within(engine, seconds=DEATH_SECONDS)


def gone_within(process: int, *, seconds: float) -> bool:
    """Whether a process that is not our child ends in time; its descriptor becomes readable when it does."""
    import select

    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
