"""Cases 15 and 26 in the real engine process: what ends it ends nothing else, and is told with its remedy."""

import os
import queue
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client import EngineClient
from model.messages import Event, Failed, Finished, Generate, OpenCheckpoint, Opened
from tests.bad.make import weights
from tests.model.checkpoint.sample import write_sample

SECONDS = 60.0


class Talk:
    """A client and what it hears."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Event | str] = queue.Queue()
        self.client = EngineClient(self.heard.put, self.heard.put)

    def until(self, *kinds: type) -> Event | str:
        """The next event of one of these kinds; a refusal or the sentence about the engine's death will do too."""
        end = time.monotonic() + SECONDS  # heartbeats never stop coming
        while time.monotonic() < end:
            told = self.heard.get(timeout=SECONDS)
            if isinstance(told, (*kinds, Failed, str)):
                return told
        raise TimeoutError(f"none of {kinds} in {SECONDS} s")


@pytest.fixture
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    talk.client.close()


def test_case_15_weights_cut_off_while_they_are_mapped_end_the_engine_with_a_sentence(
    talk: Talk, tmp_path: Path
) -> None:
    write_sample(tmp_path)
    talk.client.send(OpenCheckpoint(request=1, path=str(tmp_path), dtype="float32", device="cpu"))
    assert isinstance(talk.until(Opened), Opened)
    os.truncate(weights(tmp_path), 0)
    talk.client.send(Generate(request=2, token_ids=[2, 3], max_new_tokens=100))
    told = talk.until(Finished)
    assert isinstance(told, str), told
    assert "signal 7" in told
    assert "cut off" in told
