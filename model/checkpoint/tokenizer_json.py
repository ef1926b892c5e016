"""Hugging Face's `tokenizer.json`, with what `tokenizer_config.json` says beside it."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import tokenizers

from model.checkpoint.library import JsonLibrary
from model.checkpoint.tokenizer import Tokenizer, as_problem, check_ids
from model.outside import parse_json, read_bounded, read_json_object
from model.problems import Problem

JSON = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
TOKENIZER_LIMIT = 64 * 2**20
SETTINGS_LIMIT = 2**20
_CONTROL = re.compile(r"<[|｜].+[|｜]>")
_GROWTH_LIMIT = 64  # characters that a normaliser may put in place of a match
_SHOWN = 3


def read_json_tokenizer(path: Path, *, vocab_size: int | None = None) -> Tokenizer:
    """Raises Problem when it is damaged, or when it has ids that an embedding of `vocab_size` rows lacks."""
    content = read_bounded(path, limit=TOKENIZER_LIMIT)
    described = parse_json(content, where=str(path))
    if not isinstance(described, dict):
        raise Problem(f"{path} does not hold a JSON object; get the file again.")
    _refuse_growth(described.get("normalizer"), path)
    with as_problem(str(path)):
        library = tokenizers.Tokenizer.from_str(_with_marked_controls(described) or content.decode())
        # Patterns are compiled, and may fail, only when they are first used.
        library.encode("a  b1, é")
        vocabulary = library.get_vocab(with_added_tokens=True)
    check_ids(vocabulary.values(), vocab_size, str(path))
    byte_level = _mentions(described.get("decoder"), "ByteLevel")
    prefix = _prefix(library, read_settings(path.parent))
    return Tokenizer(
        JsonLibrary(library, byte_level=byte_level), prefix=prefix, notes=_oddities(described, vocabulary.items())
    )


def read_settings(folder: Path) -> dict[str, object]:
    """What `tokenizer_config.json` says, or nothing when there is none. Raises Problem."""
    path = folder / SETTINGS
    return read_json_object(path, limit=SETTINGS_LIMIT) if path.is_file() else {}


def token_text(value: object) -> str | None:
    """A token that settings name, as text or as an object with its content."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def ambiguity_notes(pairs: Iterable[tuple[str, int]]) -> list[str]:
    """What a person should know about tokens without text, and about ids that two tokens share."""
    given = list(pairs)
    notes = []
    if any(not text for text, _ in given):
        notes.append("The tokenizer has an added token without text; it is never chosen.")
    counts = Counter(number for _, number in set(given))
    if shared := sorted(number for number, count in counts.items() if count > 1):
        shown = ", ".join(map(str, shared[:_SHOWN]))
        notes.append(
            f"In the tokenizer {len(shared)} ids stand for two tokens or more ({shown}); one of them is shown."
        )
    return notes


def _oddities(described: dict[str, object], vocabulary: Iterable[tuple[str, int]]) -> list[str]:
    """The file's own words too: the library keeps only one of two added tokens with one id."""
    pairs = set(vocabulary)
    added = described.get("added_tokens")
    for token in added if isinstance(added, list) else []:
        if isinstance(token, dict) and isinstance(token.get("content"), str) and type(token.get("id")) is int:
            pairs.add((token["content"], token["id"]))
    return ambiguity_notes(pairs)


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
    content = token_text(settings.get("bos_token"))
    token = library.token_to_id(content) if content is not None else None
    return [token] if wanted is True and token is not None else []


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


def _mentions(decoder: object, kind: str) -> bool:
    if not isinstance(decoder, dict):
        return False
    inner = decoder.get("decoders")
    return decoder.get("type") == kind or any(
        _mentions(part, kind) for part in (inner if isinstance(inner, list) else [])
    )
