"""Text to token ids and back, through the checkpoint's own tokenizer; every fault of it is a Problem."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from model.checkpoint.library import Library
from model.problems import Problem

PROMPT_LIMIT = 2 * 10**6  # bytes of UTF-8
VOCABULARY_LIMIT = 2_000_000


class UnknownIds(Problem):
    """A tokenizer has ids that the model has no embedding for: not its own."""


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a prompt. Control tokens are recognised only in what the checkpoint itself wrote."""

    text: str
    typed: bool  # by a person: what looks like a control token in it is text


class Tokenizer:
    """Encodes prompts and shows tokens. `prefix` are the ids in front of every prompt: the BOS, or nothing.

    `notes` are sentences about what is odd in the vocabulary.
    """

    def __init__(self, library: Library, *, prefix: Sequence[int], notes: Sequence[str] = ()) -> None:
        self._library = library
        self.prefix = tuple(prefix)
        self.notes = tuple(notes)
        self._pieces: dict[int, str] = {}  # at most one for each entry of the vocabulary

    @property
    def controls(self) -> Mapping[str, int]:
        """The control tokens by what they look like."""
        return self._library.controls

    def encode(self, text: str, *, parse_control: bool = False) -> list[int]:
        """Token ids of a prompt, BOS in front when the checkpoint wants one, never twice.

        What looks like a control token stays text unless `parse_control`. Lone surrogates become U+FFFD.
        Raises Problem for more than 2 MB of text, or when the tokenizer fails.
        """
        ids = self._ids(_bounded(text), parse_control=parse_control)
        begun = tuple(ids[: len(self.prefix)]) == self.prefix
        return ids if begun else [*self.prefix, *ids]

    def encode_spans(self, spans: Sequence[Span]) -> list[int]:
        """Ids of one text in several parts, nothing put in front: control tokens count where they are not `typed`.

        Text is cut only at those control tokens, where the tokenizer would cut it too: byte pairs merge across
        the border between what a template wrote and what a person typed as if one had written both.
        Raises Problem like `encode`.
        """
        _bounded("".join(span.text for span in spans))
        ids: list[int] = []
        text: list[str] = []
        for part, token in self._cut(spans):
            if token is None:
                text.append(part)
                continue
            ids += [*self._ids(_bounded("".join(text)), parse_control=False), token]
            text.clear()
        return ids + self._ids(_bounded("".join(text)), parse_control=False)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, control tokens left out. Ids without a token add nothing."""
        with as_problem("these tokens"):
            return self._library.decode([token for token in ids if token >= 0])

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each token by itself, raw; bytes that are no whole character alone appear as ‹E4›."""
        return [self._piece(token) for token in ids]

    def _piece(self, token: int) -> str:
        """Asked for once: the likeliest tokens of a run's steps are mostly the same few hundred."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._library.piece(token)
        return piece

    def _cut(self, spans: Sequence[Span]) -> Iterator[tuple[str, int | None]]:
        """The same text as (text, None) and (control token, its id)."""
        controls = self._library.controls
        # The longest first: <|a|> must not hide <|a|>b.
        pattern = re.compile("|".join(map(re.escape, sorted(filter(None, controls), key=len, reverse=True))) or "(?!)")
        for span in spans:
            done = 0
            for match in () if span.typed else pattern.finditer(span.text):
                yield span.text[done : match.start()], None
                yield match[0], controls[match[0]]
                done = match.end()
            yield span.text[done:], None

    def _ids(self, text: str, *, parse_control: bool) -> list[int]:
        with as_problem("this prompt"):
            return self._library.encode(text, parse_control=parse_control) if text else []


@contextmanager
def as_problem(what: str) -> Iterator[None]:
    """The library's errors, and its panics, which derive from BaseException, as one Problem."""
    try:
        yield
    except BaseException as fault:
        if isinstance(fault, Problem) or (
            not isinstance(fault, Exception) and type(fault).__name__ != "PanicException"
        ):
            raise
        reason = ascii(str(fault))[1:-1][:120]
        raise Problem(f"The tokenizer failed on {what} ({reason}); use token ids or get it again.") from None


def _bounded(text: str) -> str:
    """The text without lone surrogates. Raises Problem when it is too long."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text.encode()) > PROMPT_LIMIT:
        raise Problem(f"The prompt is longer than {PROMPT_LIMIT:,} bytes; shorten it.")
    return text


def check_ids(ids: Collection[int], vocab_size: int | None, where: str) -> None:
    """Raises Problem for more tokens than are read, UnknownIds for an id that an embedding of `vocab_size` lacks."""
    if len(ids) > VOCABULARY_LIMIT:
        raise Problem(f"{where} has {len(ids):,} tokens; at most {VOCABULARY_LIMIT:,} are read.")
    largest = max(ids, default=0)
    if vocab_size is not None and largest >= vocab_size:
        raise UnknownIds(
            f"{where} has token id {largest:,}, but the embedding has {vocab_size:,} rows; get matching files."
        )
