"""What the asker has been told of a run. News is gathered into at most 30 batches a second, or fewer.

A slow window costs no memory: while it is behind nothing is sent, and the next batch covers all since.
"""

import time

from model.engine.agenda import Work
from model.engine.inbox import Inbox
from model.messages import Grown
from model.recording.recording import Recording

BATCH_SECONDS = 1 / 30
BATCH_TOKENS = 4096  # keeps the frame of the widest model at some ten megabytes
BATCH_STEPS = 4096
CONGESTED_SECONDS = 0.005  # between two looks whether the asker has caught up


class Reporter:
    """Batches of one run, each from where the last one ended."""

    def __init__(self, request: int, run: str, recording: Recording, inbox: Inbox) -> None:
        self._request = request
        self._run = run
        self._recording = recording
        self._inbox = inbox
        self._tokens = self._steps = 0
        self._next = 0.0

    def due(self) -> Grown | None:
        """The next batch if it is time and there is news; None otherwise."""
        if time.monotonic() < self._next or self._inbox.congested() or not self._behind():
            return None
        return self._batch()

    def rest(self) -> Work:
        """All that is left, as fast as the asker takes it."""
        while self._behind():
            if self._inbox.congested():
                time.sleep(CONGESTED_SECONDS)
                yield None
            else:
                yield self._batch()

    def _behind(self) -> bool:
        return self._tokens < self._recording.tokens or self._steps < self._recording.steps

    def _batch(self) -> Grown:
        recording = self._recording
        tokens = min(self._tokens + BATCH_TOKENS, recording.tokens)
        steps = min(self._steps + BATCH_STEPS, recording.steps)
        grown = Grown(
            request=self._request,
            run=self._run,
            tokens=recording.token_batch(self._tokens, tokens),
            steps=recording.step_batch(self._steps, steps),
            recording_bytes=recording.memory_bytes + recording.disk_bytes,
            memory_bytes=recording.memory_bytes,
        )
        self._tokens, self._steps = tokens, steps
        self._next = time.monotonic() + BATCH_SECONDS
        return grown
