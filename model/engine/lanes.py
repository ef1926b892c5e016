"""What the decoding benchmark races against each other: the same continuation, made in different ways."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from model.config import Sampling
from model.engine import threads
from model.engine.generate import begin
from model.engine.generation import Generation
from model.engine.opened import OpenModel
from model.engine.reporter import Reporter
from model.engine.runs import Engine
from model.messages import Command, Generate, Shutdown
from model.network.cache import KvCache
from model.network.decoding import DecodeStep
from model.network.sampling import Sampler
from model.recording.recording import Recording


class Lane(Protocol):
    """`step` makes one token more; `tokens` are those made so far; `threads` what it runs on."""

    threads: int
    tokens: list[int]

    def step(self) -> None:
        """Make one token."""


class PlainLane:
    """The network and the sampler alone: nothing is recorded, nobody is told. `by_torch`: every operation by itself."""

    def __init__(self, model: OpenModel, prompt: list[int], *, by_torch: bool = False) -> None:
        self.threads = threads.decode_threads(model.checkpoint.config, model.dtype, context=len(prompt))
        self._decoder = model.decoder
        step = DecodeStep(model.decoder, threads=self.threads)
        step.wait()
        self._step: Callable[..., Tensor] = partial(model.decoder.step, absorbed=True) if by_torch else step
        self._sampler = Sampler(Sampling())
        self._cache = model.decoder.new_cache()
        with torch.inference_mode():
            logits_1V = self._decoder.step(self._tensor(prompt), self._cache)
        self.tokens = [self._sampler.choose(logits_1V[0])]

    @torch.inference_mode()
    def step(self) -> None:
        """Feed the last token and choose the next."""
        logits_1V = self._step(self._tensor(self.tokens[-1:]), self._cache)
        self.tokens.append(self._sampler.choose(logits_1V[0]))

    def _tensor(self, ids: list[int]) -> Tensor:
        return torch.tensor(ids, device=self._decoder.device)


class RecordedLane:
    """A run as every run is: recorded, written to disk, told in batches."""

    def __init__(self, engine: Engine, model: OpenModel, prompt: list[int], *, tokens: int, folder: Path) -> None:
        self.threads = threads.decode_threads(model.checkpoint.config, model.dtype, context=len(prompt))
        command = Generate(token_ids=prompt, max_new_tokens=tokens, folder=str(folder))
        run, recorder = begin(command, engine, model, len(prompt))
        del engine.runs[run.info.run]  # nobody will ask about it
        self.recording: Recording = run.recording
        reporter = Reporter(0, run.info.run, run.recording, _Nobody())
        self._generation = Generation(command, model, recorder, reporter, ends=())
        self.tokens = self._generation.generated
        DecodeStep(model.decoder, threads=self.threads).wait()  # nothing is timed beside the compiler
        for _ in self._generation.prefill(prompt):
            pass
        self._work = self._generation.decode()

    @property
    def prefill_seconds(self) -> float:
        """Seconds that the prompt took, its recording included."""
        return self._generation.prefill_seconds

    @property
    def cache(self) -> KvCache:
        """The run's latents."""
        return self._generation.cache

    def step(self) -> None:
        """The next step of the run."""
        next(self._work)


class _Nobody:
    """An asker who asks nothing and always keeps up."""

    def take(self, *, wait: bool) -> Command | None:
        return Shutdown() if wait else None

    def congested(self) -> bool:
        return False
