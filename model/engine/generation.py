"""One run: prefill in chunks, then token by token, recorded as it goes."""

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from model.checkpoint.paging import NOTHING, traffic_of
from model.config import ModelConfig
from model.engine import threads
from model.engine.agenda import Work
from model.engine.opened import OpenModel
from model.engine.reporter import Reporter
from model.messages import Event, Generate
from model.network.cache import KvCache
from model.network.decoder import new_probe
from model.network.decoding import DecodeStep
from model.network.pieces import Pieces
from model.network.sampling import Sampler
from model.problems import Problem
from model.recording.columns import TOP_TOKENS, StepRow
from model.recording.manifest import Reason
from model.recording.recorder import Recorder
from model.shapes import parameters_active

CHUNK_TOKENS = (512, 1024)  # more where a layer of them is soon done: each chunk restores the keys before it again
LAYER_PRODUCTS = 2**30  # soon done: multiplications of some ten milliseconds
HEAD_TOKENS = 128  # of a prompt's chunk, whose logits are made at once
SMALLEST_CHUNK = 64  # below this the weights are read more often than they are used
LOGITS_ELEMENTS = 2**25  # of one chunk: 128 MB in float32
REFIT_TOKENS = 256  # decoded before it is asked again whether the latents are worth more threads
TURN_SECONDS = 0.03  # of a prompt, before others may have theirs


def chunk_tokens(config: ModelConfig) -> int:
    """Tokens per prefill step. Depends on the model alone, so the same prompt gives the same numbers again."""
    least, most = CHUNK_TOKENS
    by_layer = LAYER_PRODUCTS * config.layers // parameters_active(config)
    return min(min(most, max(least, by_layer)), max(SMALLEST_CHUNK, LOGITS_ELEMENTS // config.vocab_size))


def beyond_dense(tokens: int) -> str:
    """Why a model with sparse attention goes no further here than it attends to everything."""
    return f"beyond {tokens:,} tokens this model attends sparsely, by an indexer that is not modelled yet"


@dataclass(frozen=True, slots=True)
class Choice:
    """The next token after a step, and what else was likely; −1 when none was chosen."""

    token: int
    log_probability: float
    top_ids: list[int] = field(default_factory=list)
    top_log_probability: list[float] = field(default_factory=list)


NOTHING_CHOSEN = Choice(-1, math.nan)


class Generation:
    """The state of one run between its steps. `reason` and `note` say how it ended.

    `ends` are the token ids that end it, by default the checkpoint's.
    """

    def __init__(
        self,
        command: Generate,
        model: OpenModel,
        recorder: Recorder,
        reporter: Reporter,
        *,
        ends: tuple[int, ...] | None = None,
    ) -> None:
        self.reason: Reason = "length"
        self.note = ""
        self.generated: list[int] = []
        self.prefill_seconds = 0.0
        self.decode_seconds = 0.0
        self.decoded = 0
        self._computed = 0.0  # seconds of the prefill so far
        self._fed_log_probability = np.empty(1)
        self._command = command
        self._model = model
        self._decoder = model.decoder
        self._recorder = recorder
        self._reporter = reporter
        self._last = NOTHING_CHOSEN
        self._ends = model.checkpoint.config.eos_token_ids if ends is None else ends
        self._sampler = Sampler(command.sampling)
        self.cache: KvCache = model.decoder.new_cache()
        self._traffic = traffic_of(model.decoder.weights)
        if self._traffic is not None:
            self._traffic.take()  # what others asked for before is not this run's
        self._decode_probe = new_probe(model.decoder, 1)
        self._decode_threads = threads.decode_threads(model.checkpoint.config, model.dtype)
        self._decode_step = DecodeStep(model.decoder, threads=self._decode_threads)
        self._refit_at = 0  # tokens in the cache

    @property
    def tokens_per_second(self) -> float:
        """Decoded tokens over the time of their steps, recording included."""
        return self.decoded / self.decode_seconds if self.decode_seconds else 0.0

    @property
    def step_note(self) -> str:
        """One sentence when decoding had to go on in a slower way."""
        return self._decode_step.note

    def text(self) -> str:
        """The text of the generated tokens. Raises Problem when the tokenizer fails."""
        return self._model.text(self.generated)

    def prefill(self, ids: list[int]) -> Work:
        """Feed the prompt. Every token's log-probability is recorded, and the first new token chosen."""
        size = chunk_tokens(self._model.checkpoint.config)
        probe = new_probe(self._decoder, min(size, len(ids)))
        before: Tensor | None = None  # logits of the last token fed
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            began = self._computed
            states_TD = yield from self._layers(
                self._decoder.stepping(self._tensor(part), self.cache, probe=probe, logits="states", length=len(ids))
            )
            wanted = start + size >= len(ids) and self._command.max_new_tokens > 0
            with self._timed(), torch.inference_mode():
                log_probability, before, logits_TV = self._told(states_TD, part, before)
                choice = self._choose(before) if wanted else NOTHING_CHOSEN
            step = self._row(choice, self._computed - began, decode=False)
            with self._timed():
                self._recorder.append(
                    probe,
                    self.cache,
                    ids=part,
                    texts=self._model.pieces(part),
                    log_probability=log_probability.numpy(),
                    step=step,
                    logits=logits_TV,
                )
            self.prefill_seconds = self._computed
            self._last = choice
            if wanted:
                self._check()
            yield self._reporter.due()

    def _told(self, states_TD: Tensor, ids: list[int], before_V: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Log-probabilities [T] of these tokens, the last one's logits [V], and all logits [T, V] if they are kept.

        A few rows of logits at a time stay in the processor's caches while the softmax goes over them.
        """
        values, kept = [], []
        for first in range(0, len(ids), HEAD_TOKENS):
            logits_TV = self._decoder.logits(states_TD[first : first + HEAD_TOKENS])
            values.append(_prompt_log_probability(before_V, logits_TV, ids[first : first + HEAD_TOKENS]))
            before_V = logits_TV[-1].clone()  # not a view, which would keep all rows
            if self._command.keep_logits:
                kept.append(logits_TV)
        assert before_V is not None
        return torch.cat(values), before_V, torch.cat(kept) if kept else None

    def _layers(self, pieces: Pieces[Tensor]) -> Generator[Event | None, None, Tensor]:
        """A turn after the other, so that a long prompt can be stopped and questions come in between."""
        while True:
            threads.use(threads.ALL)
            with self._timed(), torch.inference_mode():
                until, more = time.perf_counter() + TURN_SECONDS, True
                try:
                    while more:
                        next(pieces)
                        more = time.perf_counter() < until
                except StopIteration as finished:
                    states_TD: Tensor = finished.value
                    return states_TD
            yield None

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time of a part of the prefill; what others do in between is not the run's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._computed += time.perf_counter() - began

    def decode(self) -> Work:
        """Choose and feed tokens until an end token, the asked number or the end of the context."""
        config = self._model.checkpoint.config
        while self._last.token >= 0:
            self.generated.append(self._last.token)
            if self._last.token in self._ends:
                self.reason = "eos"
                return
            if len(self.generated) >= self._command.max_new_tokens:
                return
            if self.cache.length >= config.max_position_embeddings:
                self.note = f"The model's context of {config.max_position_embeddings} tokens is full."
                return
            if config.dense_attention_tokens is not None and self.cache.length >= config.dense_attention_tokens:
                self.note = f"Stopped: {beyond_dense(config.dense_attention_tokens)}."
                return
            self._feed(self._last)
            yield self._reporter.due()

    def _feed(self, fed: Choice) -> None:
        began = time.perf_counter()
        if self.cache.length >= self._refit_at:
            self._refit()
        threads.use(self._decode_threads)
        with torch.inference_mode():
            ids = self._tensor([fed.token])
            logits_1V = self._decode_step(ids, self.cache, probe=self._decode_probe)
            self._last = self._choose(logits_1V[0])
        step = self._row(self._last, time.perf_counter() - began, decode=True)
        self._fed_log_probability[0] = fed.log_probability
        self._recorder.append(
            self._decode_probe,
            self.cache,
            ids=[fed.token],
            texts=self._model.pieces([fed.token]),
            log_probability=self._fed_log_probability,
            step=step,
            logits=logits_1V if self._command.keep_logits else None,
        )
        self.decoded += 1
        self.decode_seconds += time.perf_counter() - began
        self._check()

    def _refit(self) -> None:
        """Give a processor's step as many threads as its weights and latents are worth by now."""
        self._refit_at = self.cache.length + REFIT_TOKENS
        config = self._model.checkpoint.config
        count = threads.decode_threads(config, self._model.dtype, context=self.cache.length)
        if count != self._decode_threads and self._decoder.device.type == "cpu":
            self._decode_threads, self._decode_step = count, DecodeStep(self._decoder, threads=count)

    def _check(self) -> None:
        """Raise Problem when the step just recorded left nothing to choose from."""
        if self._last.token < 0:
            token = self.cache.length - 1
            raise Problem(
                f"The logits after token {token} are not finite numbers; the weights or the dtype are at fault."
            )

    def _choose(self, logits_V: Tensor) -> Choice:
        """Sample; nothing is chosen when the logits are NaN or infinite."""
        ids, values = self._decode_step.likeliest(logits_V, min(TOP_TOKENS, len(logits_V)))
        if not math.isfinite(values[0]):
            return NOTHING_CHOSEN
        if self._sampler.sampling.temperature == 0.0 and values[0] > values[1]:
            return Choice(ids[0], values[0], ids, values)  # what the sampler would say; only ties are its to break
        chosen = self._sampler.choose(logits_V)
        of_all = float(logits_V[ids[0]]) - values[0]
        return Choice(chosen, float(logits_V[chosen]) - of_all, ids, values)

    def _row(self, choice: Choice, seconds: float, *, decode: bool) -> StepRow:
        pieces = self._model.pieces([choice.token, *choice.top_ids]) if choice.token >= 0 else [""]
        hits, misses, bytes_read = NOTHING if self._traffic is None else self._traffic.take()
        return StepRow(
            decode=decode,
            measured_bytes=self.cache.measured_bytes(),
            used_bytes=self.cache.used_bytes(),
            seconds=seconds,
            expert_hits=hits,
            expert_misses=misses,
            bytes_read=bytes_read,
            chosen_id=choice.token,
            chosen_text=pieces[0],
            chosen_log_probability=choice.log_probability,
            top_ids=choice.top_ids,
            top_texts=pieces[1:],
            top_log_probability=choice.top_log_probability,
        )

    def _tensor(self, ids: list[int]) -> Tensor:
        return torch.tensor(ids, device=self._decoder.device)


def _prompt_log_probability(before_V: Tensor | None, logits_TV: Tensor, ids: list[int]) -> Tensor:
    """Log-probability of each token given those before it, float32 [T] on the CPU; NaN for the very first."""
    told_TV = logits_TV[:-1] if before_V is None else torch.cat((before_V.unsqueeze(0), logits_TV[:-1]))
    known = torch.tensor(ids[len(ids) - len(told_TV) :], device=logits_TV.device)
    values = told_TV.gather(1, known.unsqueeze(1)).squeeze(1) - told_TV.logsumexp(1)
    return torch.nn.functional.pad(values, (len(ids) - len(told_TV), 0), value=math.nan).cpu()
