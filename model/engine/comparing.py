"""The CompareAttentions command: one prompt through the study's four models, their caches measured as they grow."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from model.caches import kept_bytes
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import loading
from model.checkpoint.plan import make_plan
from model.checkpoint.tokenizer import Tokenizer
from model.checkpoint.trial import open_tokenizer
from model.config import DTYPE_BYTES, AttentionKind, DtypeName
from model.engine import threads
from model.engine.agenda import Work
from model.engine.opened import aside
from model.messages import Array, AttentionsCompared, CacheGrown, CompareAttentions
from model.network.counted_cache import CountedCache
from model.network.decoder import Decoder
from model.problems import Problem

KINDS: tuple[AttentionKind, ...] = ("mha", "gqa", "mqa", "mla")
DTYPE: DtypeName = "bfloat16"  # as stored, so that bytes are those of the table
TELL_EVERY = 4  # tokens


@dataclass(slots=True, eq=False)
class Contestant:
    """One model, its cache, and what it has said."""

    kind: AttentionKind
    decoder: Decoder
    tokenizer: Tokenizer
    cache: CountedCache
    ids: list[int] = field(default_factory=list)  # not fed yet, newest last
    said: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    used: list[int] = field(default_factory=list)

    def step(self) -> None:
        """Feed what is not fed, choose the likeliest next token, measure the cache."""
        with torch.inference_mode():
            fed = torch.tensor(self.ids)
            logits_1V = self.decoder.step(fed, self.cache, absorbed=len(fed) == 1)
        self.ids = [int(logits_1V[0].argmax())]
        self.said += self.ids
        self.tokens.append(self.cache.length)
        self.measured.append(self.cache.measured_bytes())
        self.used.append(self.cache.used_bytes())


def compare(command: CompareAttentions) -> Work:
    """CacheGrown… of every model in turns, then AttentionsCompared. Raises Problem."""
    models = []
    for kind in KINDS:
        models.append((yield from _open(Path(command.folder) / kind, kind)))
    for model in models:
        ids = model.tokenizer.encode(command.prompt)
        _check(ids, command, model)
        model.ids = ids
    threads.use(1)
    for step in range(command.max_new_tokens + 1):
        for model in models:
            model.step()
            if step % TELL_EVERY == 0 or step == command.max_new_tokens:
                yield _grown(command, model)
            else:
                yield None
    texts = {str(model.kind): model.tokenizer.decode(model.said) for model in models}
    yield AttentionsCompared(request=command.request, texts=texts)


def _open(folder: Path, kind: AttentionKind) -> Generator[None, None, Contestant]:
    checkpoint = yield from aside(lambda: read_checkpoint(folder))
    if checkpoint.config.attention != kind:
        raise Problem(f"{folder} holds a model with {checkpoint.config.attention.upper()}; get the study again.")
    tokenizer, _ = yield from aside(lambda: open_tokenizer(folder, vocab_size=checkpoint.config.vocab_size))
    if tokenizer is None:
        raise Problem(f"{folder} has no tokenizer; get the study again.")
    device = torch.device("cpu")
    pieces = loading(checkpoint, make_plan(checkpoint, dtype=DTYPE, device=device))
    while True:
        try:
            next(pieces)
        except StopIteration as finished:
            decoder: Decoder = finished.value
            break
        yield None
    cache = CountedCache(checkpoint.config, dtype=decoder.dtype, device=device)
    return Contestant(kind, decoder, tokenizer, cache)


def _check(ids: list[int], command: CompareAttentions, model: Contestant) -> None:
    room = model.decoder.config.max_position_embeddings - command.max_new_tokens
    if not ids:
        raise Problem("The prompt has no token; write something.")
    if len(ids) > room:
        raise Problem(f"The prompt has {len(ids):,} tokens and there is room for {room:,}; shorten it.")


def _grown(command: CompareAttentions, model: Contestant) -> CacheGrown:
    cache = model.cache
    told = CacheGrown(
        request=command.request,
        kind=model.kind,
        tokens=list(model.tokens),
        measured_bytes=list(model.measured),
        used_bytes=list(model.used),
        bytes_per_token=kept_bytes(model.decoder.config, DTYPE_BYTES[DTYPE]),
        reads=Array.of(cache.reads_LT),
        queries=Array.of(cache.queries_LT),
    )
    model.tokens, model.measured, model.used = [], [], []
    return told
