"""Recorder: appends what a Probe and the cache tell, once per step, and keeps the run folder up to date.

The last, unfinished chunk lives in preallocated arrays, so an appended token costs a few small copies.
A full chunk is written, then its file read through a map takes its place; every two seconds the
unfinished one is written too, under a new name, and the older file goes only when manifest.json
names the newer one. A disk that refuses never stops the run.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.caches import kept
from model.messages import RunInfo
from model.network.cache import KvCache
from model.probe import Probe
from model.problems import Problem
from model.recording.chunk import Chunk, MemoryChunk, Values
from model.recording.chunk_file import FileChunk, OpenFiles, write_chunk
from model.recording.columns import CHUNK_TOKENS, StepRow
from model.recording.heap import give_back
from model.recording.manifest import FORMAT, MANIFEST, ChunkEntry, Finish, Manifest, Reason, chunk_name, write_manifest
from model.recording.projections import Projections, save_projections
from model.recording.recording import Recording
from model.recording.sources import PROBED, Sources

FLUSH_SECONDS = 2.0
KEPT_BYTES_LIMIT = 256 * 2**20  # full chunks that wait in memory for a disk that refuses


class Recorder:
    """Writes one run. `recording` reads it at any time."""

    def __init__(self, folder: Path, recording: Recording, *, app_version: str, clock: Callable[[], float]) -> None:
        self.recording = recording
        self._folder = folder
        self._app_version = app_version
        self._clock = clock
        self._due = clock() + FLUSH_SECONDS
        self._chunks: list[Chunk] = []
        recording.chunks = self._chunks
        self._files = OpenFiles()
        self._entries: list[ChunkEntry] = []
        self._sources = Sources()
        self._paused = self._refused = False
        self._start_chunk(MemoryChunk(recording.columns))

    @classmethod
    def create(
        cls,
        folder: str | Path,
        info: RunInfo,
        *,
        keep_logits: bool = False,
        projections: Projections | None = None,
        router_bias: NDArray[np.float32] | None = None,
        self_contained: bool = False,
        fingerprint: str = "",
        app_version: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> "Recorder":
        """Start a run folder: manifest, and projections when they are small or `self_contained`.

        Raises Problem when the folder cannot be written or already holds a run or anything else: chunks of
        another run would be taken for this one's after a crash.
        """
        folder = Path(folder)
        recording = Recording(info, [], keep_logits=keep_logits, fingerprint=fingerprint)
        recorder = cls(folder, recording, app_version=app_version, clock=clock)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / MANIFEST).exists():
                raise Problem(f"{folder} already holds a recording; choose another folder.")
            if any(folder.iterdir()):
                raise Problem(f"{folder} is not empty; choose a new or an empty folder.")
            save_projections(folder, projections, router_bias, self_contained=self_contained)
            recorder._write_manifest()
        except OSError as error:
            reason = error.strerror or str(error)
            raise Problem(f"{folder} cannot hold a recording ({reason}); choose another folder.") from None
        return recorder

    def append(
        self,
        probe: Probe[Tensor],
        cache: KvCache,
        *,
        ids: Sequence[int],
        texts: Sequence[str],
        log_probability: NDArray[Any],
        step: StepRow,
        logits: Tensor | None = None,
    ) -> None:
        """Record one finished step of len(ids) tokens: the probe's first rows and the cache's last ones.

        `log_probability` [n] of each token given those before it, NaN where unknown; `logits` [n, V] when kept.
        """
        count, done = len(ids), 0
        sources = [] if self._paused else self._sources.rows(probe, cache, count, logits)
        while done < count and not self._paused:
            tail = self._tail
            at, taken = tail.tokens, min(count - done, CHUNK_TOKENS - tail.tokens)
            rows = [source[:, done : done + taken] for source in sources] if taken < count else sources
            for target, row in zip(self._targets, rows, strict=True):
                target[:, at : at + taken] = row
            self._ids[at : at + taken] = ids[done : done + taken]
            self._log_probability[at : at + taken] = log_probability[done : done + taken]
            tail.add_texts(texts[done : done + taken])
            tail.tokens = at + taken
            done += taken
            if done < count:
                self._seal()
        if not self._paused:
            self._tail.add_step(step, self.recording.tokens)
            if self._tail.tokens == CHUNK_TOKENS:
                self._seal()
        if self._clock() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what is not on disk yet. A disk that refuses is noted, never raised."""
        self._try(self._write_chunks)

    def finish(
        self,
        reason: Reason,
        text: str,
        *,
        prefill_seconds: float = 0.0,
        decode_tokens_per_second: float = 0.0,
        note: str = "",
    ) -> None:
        """End the run: write all that is left and how it ended. Never raises."""
        self.recording.finish = Finish(reason, text, prefill_seconds, decode_tokens_per_second, note)
        self._sources = Sources()
        self._try(self._finish)

    def _finish(self) -> None:
        self._write_chunks()
        self._write_manifest()
        last = self._chunks[-1]
        if isinstance(last, MemoryChunk):
            if last.tokens:
                self._chunks[-1] = self._mapped(len(self._chunks) - 1, last)
            else:
                self._chunks.pop()

    def _try(self, write: Callable[[], None]) -> None:
        self._due = self._clock() + FLUSH_SECONDS
        try:
            write()
        except (OSError, Problem) as error:
            if not self._refused:
                saved = self._entries[-1].tokens[1] if self._entries else 0
                self.recording.notes.append(f"tokens from {saved} on are not on disk yet: {error}")
            self._refused = True
        else:
            if self._refused:
                self.recording.notes.append(f"the disk takes the recording again, all {self.recording.tokens} tokens")
            self._refused = False

    def _write_chunks(self) -> None:
        """Every chunk that is not on disk as it is now, in order."""
        for index in range(max(len(self._entries) - 1, 0), len(self._chunks)):
            chunk = self._chunks[index]
            if not isinstance(chunk, MemoryChunk) or not chunk.tokens:
                continue
            older = self._entries[index] if index < len(self._entries) else None
            name = chunk_name(index, chunk.tokens)
            if older is None or older.name != name:
                self._write_chunk(index, chunk, name, older)
            if chunk.tokens == CHUNK_TOKENS:
                self._chunks[index] = self._mapped(index, chunk)

    def _write_chunk(self, index: int, chunk: MemoryChunk, name: str, older: ChunkEntry | None) -> None:
        sha = write_chunk(self._folder / name, chunk, self.recording.columns)
        first_token = index * CHUNK_TOKENS
        first_step = self._entries[index - 1].steps[1] if index else 0
        tokens, steps = (first_token, first_token + chunk.tokens), (first_step, first_step + chunk.steps)
        before = self._entries
        self._entries = [*before[:index], ChunkEntry(name, tokens, steps, sha)]
        try:
            self._write_manifest()
        except OSError:
            self._entries = before
            raise
        if older is not None:
            with suppress(OSError):
                (self._folder / older.name).unlink()

    def _write_manifest(self) -> None:
        recording = self.recording
        manifest = Manifest(
            format=FORMAT,
            app_version=self._app_version,
            info=recording.info,
            fingerprint=recording.fingerprint,
            keep_logits="logits" in recording.columns,
            notes=recording.notes,
            chunks=self._entries,
            finish=recording.finish,
        )
        write_manifest(self._folder, manifest)

    def _mapped(self, index: int, chunk: MemoryChunk) -> FileChunk:
        path = self._folder / chunk_name(index, chunk.tokens)
        self._files.file(path)  # mapped now, so it can be read even if the folder is deleted during the run
        return FileChunk(path, chunk.columns, self._files, tokens=chunk.tokens, steps=chunk.steps)

    def _seal(self) -> None:
        """The last chunk is full: write it and start the next one, in the same arrays when it is safe on disk."""
        full = self._tail
        self.flush()
        if self._chunks[-1] is not full:
            full.clear()
            self._start_chunk(full)
        elif self.recording.memory_bytes < KEPT_BYTES_LIMIT:
            self._start_chunk(MemoryChunk(full.columns))
        else:
            self._paused = True
            self.recording.notes.append(f"the recording stops at token {self.recording.tokens}: the disk takes no more")
        give_back()

    def _start_chunk(self, chunk: MemoryChunk) -> None:
        self._tail = chunk
        self._chunks.append(chunk)
        heavy = {name for name, column in chunk.columns.items() if column.kind == "heavy"}
        cached = (row.name for row in kept(self.recording.info.config))
        names = (*PROBED, *cached, *(("logits",) if "logits" in heavy else ()))
        # Rows first, as in the probe and the cache: one copy per column, no loop over layers.
        self._targets: list[Values] = [
            chunk.buffers[name] if name in heavy else chunk.buffers[name].swapaxes(0, 1) for name in names
        ]
        self._ids = chunk.buffers["ids"]
        self._log_probability = chunk.buffers["log_probability"]
