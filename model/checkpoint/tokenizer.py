"""Text to token ids and back, through the checkpoint's own `tokenizer.json`; every fault of it is a Problem."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tokenizers

from model.checkpoint.pieces import PieceReader
from model.outside import parse_json, read_bounded, read_json_object
from model.problems import Problem

TOKENIZER_LIMIT = 64 * 2**20
SETTINGS_LIMIT = 2**20
VOCABULARY_LIMIT = 2_000_000
PROMPT_LIMIT = 2 * 10**6  # bytes of UTF-8
_CONTROL = re.compile(r"<[|｜].+[|｜]>")
_GROWTH_LIMIT = 64  # characters that a normaliser may put in place of a match


class Tokenizer:
    """Encodes prompts and shows tokens. `prefix` are the ids in front of every prompt: the BOS, or nothing."""

    def __init__(self, library: tokenizers.Tokenizer, *, pieces: PieceReader, prefix: Sequence[int]) -> None:
        self._library = library
        self._pieces = pieces
        self.prefix = tuple(prefix)

    def encode(self, text: str, *, parse_control: bool = False) -> list[int]:
        """Token ids of a prompt, BOS in front when the checkpoint wants one, never twice.

        What looks like a control token stays text unless `parse_control`. Lone surrogates become U+FFFD.
        Raises Problem for more than 2 MB of text, or when the tokenizer fails.
        """
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if len(text.encode()) > PROMPT_LIMIT:
            raise Problem(f"The prompt is longer than {PROMPT_LIMIT:,} bytes; shorten it.")
        self._library.encode_special_tokens = not parse_control
        with _as_problem("this prompt"):
            ids = list(self._library.encode(text, add_special_tokens=False).ids)
        begun = tuple(ids[: len(self.prefix)]) == self.prefix
        return ids if begun else [*self.prefix, *ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, control tokens left out. Ids without a token add nothing."""
        with _as_problem("these tokens"):
            return str(self._library.decode([token for token in ids if token >= 0]))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each token by itself, raw; bytes that are no whole character alone appear as ‹E4›."""
        return [self._pieces.piece(token) for token in ids]


def read_tokenizer(folder: str | Path, *, vocab_size: int | None = None) -> Tokenizer | None:
    """The tokenizer of a checkpoint folder, or None when it has no `tokenizer.json`.

    Raises Problem when it is damaged, or when it has ids that an embedding of `vocab_size` rows lacks.
    """
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        return None
    content = read_bounded(path, limit=TOKENIZER_LIMIT)
    described = parse_json(content, where=str(path))
    if not isinstance(described, dict):
        raise Problem(f"{path} does not hold a JSON object; get the file again.")
    _refuse_growth(described.get("normalizer"), path)
    with _as_problem(str(path)):
        library = tokenizers.Tokenizer.from_str(_with_marked_controls(described) or content.decode())
        # Patterns are compiled, and may fail, only when they are first used.
        library.encode("a  b1, é")
        vocabulary = library.get_vocab(with_added_tokens=True)
    _check_ids(vocabulary.values(), vocab_size, path)
    settings_path = path.with_name("tokenizer_config.json")
    settings = read_json_object(settings_path, limit=SETTINGS_LIMIT) if settings_path.is_file() else {}
    return Tokenizer(library, pieces=PieceReader(library, described), prefix=_prefix(library, settings))


def _with_marked_controls(described: dict[str, object]) -> str | None:
    """The same tokenizer with tokens like <｜User｜> marked special, or None when it needs no change.

    DeepSeek's files leave that mark off, and only marked tokens can be kept as text.
    """
    added = described.get("added_tokens")
    tokens = [token for token in added if isinstance(token, dict)] if isinstance(added, list) else []
    unmarked = [token for token in tokens if not token.get("special") and _CONTROL.fullmatch(str(token.get("content")))]
    for token in unmarked:
        token["special"] = True
    return json.dumps(described) if unmarked else None


def _prefix(library: tokenizers.Tokenizer, settings: dict[str, object]) -> list[int]:
    """`add_bos_token` decides when it is there; otherwise the tokenizer's own post-processor."""
    wanted = settings.get("add_bos_token")
    if wanted is None:
        bare, full = (library.encode("a", add_special_tokens=special).ids for special in (False, True))
        starts = [start for start in range(len(full)) if full[start : start + len(bare)] == bare]
        return list(full[: starts[0]]) if starts else []
    bos = settings.get("bos_token")
    content = bos.get("content") if isinstance(bos, dict) else bos
    token = library.token_to_id(content) if isinstance(content, str) else None
    return [token] if wanted is True and token is not None else []


def _check_ids(ids: Collection[int], vocab_size: int | None, path: Path) -> None:
    if len(ids) > VOCABULARY_LIMIT:
        raise Problem(f"{path} has {len(ids):,} tokens; at most {VOCABULARY_LIMIT:,} are read.")
    largest = max(ids, default=0)
    if vocab_size is not None and largest >= vocab_size:
        raise Problem(
            f"{path} has token id {largest:,}, but the embedding has {vocab_size:,} rows; get matching files."
        )


def _refuse_growth(normaliser: object, path: Path) -> None:
    """A normaliser that puts a megabyte in place of a letter would fill the memory at the first prompt."""
    if not isinstance(normaliser, dict):
        return
    texts = (normaliser.get("content"), normaliser.get("prepend"))
    if any(isinstance(text, str) and len(text) > _GROWTH_LIMIT for text in texts):
        raise Problem(f"{path} has a normaliser that inserts more than {_GROWTH_LIMIT} characters; get the file again.")
    inner = normaliser.get("normalizers")
    for part in inner if isinstance(inner, list) else []:
        _refuse_growth(part, path)


@contextmanager
def _as_problem(what: str) -> Iterator[None]:
    """The library's errors, and its panics, which derive from BaseException, as one Problem."""
    try:
        yield
    except BaseException as fault:
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        reason = ascii(str(fault))[1:-1][:120]
        raise Problem(f"The tokenizer failed on {what} ({reason}); use token ids or get it again.") from None
