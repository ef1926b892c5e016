"""`tiktoken.model` as Kimi and Moonlight have it: one base64 token and its rank a line, the rest in the settings.

The code beside such files (`tokenization_kimi.py`) is never run; what it does is fixed and written down here.
"""

import base64
import binascii
from pathlib import Path

from model.checkpoint.library import TiktokenLibrary
from model.checkpoint.tokenizer import VOCABULARY_LIMIT, Tokenizer, as_problem, check_ids
from model.checkpoint.tokenizer_json import TOKENIZER_LIMIT, ambiguity_notes, read_settings, token_text
from model.outside import read_bounded
from model.problems import Problem

TIKTOKEN = "tiktoken.model"
RESERVED = 256  # ids behind the ranks that are control tokens, named in the settings or not
TOKEN_LIMIT = 512  # bytes of one token

# How text is cut before byte pairs merge: Han by itself; words in the manner of o200k, without Han; numbers by
# threes; signs; line ends; spaces. From the published pattern of Kimi K2's tokenizer.
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
KIMI_PATTERN = "|".join(
    (
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_SUFFIX}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def read_tiktoken(path: Path, *, vocab_size: int | None = None) -> Tokenizer:
    """Raises Problem when it is damaged, or when it has ids that an embedding of `vocab_size` rows lacks."""
    ranks = _ranks(read_bounded(path, limit=TOKENIZER_LIMIT), path)
    settings = read_settings(path.parent)
    controls = _controls(settings, len(ranks), path)
    check_ids([*ranks.values(), *controls.values()], vocab_size, str(path))
    with as_problem(str(path)):
        library = TiktokenLibrary(ranks=ranks, controls=controls, pattern=KIMI_PATTERN)
        library.encode("a  b1, é 世", parse_control=False)
    bos = controls.get(token_text(settings.get("bos_token")) or "")
    # Kimi's settings say nothing of it, and its code adds nothing: the chat template writes what has to be there.
    wanted = settings.get("add_bos_token") is True and bos is not None
    return Tokenizer(
        library, prefix=[bos] if wanted and bos is not None else [], notes=ambiguity_notes(controls.items())
    )


def _ranks(content: bytes, path: Path) -> dict[bytes, int]:
    """Token -> rank. Every rank from 0 on is there once, and every single byte is a token."""
    lines = content.split(b"\n", VOCABULARY_LIMIT + 1)
    if len(lines) > VOCABULARY_LIMIT:
        raise Problem(f"{path} has more than {VOCABULARY_LIMIT:,} lines, the most that are read; get it again.")
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        token, rank = _line(line, number, path)
        if token in ranks or rank != len(ranks):
            raise Problem(f"{path} has a token twice or a rank out of order on line {number:,}; get it again.")
        ranks[token] = rank
    if missing := [value for value in range(256) if bytes([value]) not in ranks]:
        raise Problem(f"{path} lacks {len(missing)} of the 256 single bytes, so it could not encode all; get it again.")
    return ranks


def _line(line: bytes, number: int, path: Path) -> tuple[bytes, int]:
    fields = line.split()
    try:
        token, rank = base64.b64decode(fields[0], validate=True), fields[1]
        if len(fields) != 2 or not 0 < len(token) <= TOKEN_LIMIT or not rank.isdigit() or len(rank) > 9:
            raise ValueError
        return token, int(rank)
    except (ValueError, IndexError, binascii.Error):
        raise Problem(f"{path} has no token and rank on line {number:,}; get the file again.") from None


def _controls(settings: dict[str, object], first: int, path: Path) -> dict[str, int]:
    """Control token -> id: the 256 ids behind the ranks, by the settings' names, or like <|reserved_token_9|>."""
    named = settings.get("added_tokens_decoder")
    texts: dict[int, str] = {}
    for key, value in named.items() if isinstance(named, dict) else ():
        text = token_text(value)
        if not (key.isdigit() and key.isascii() and len(key) <= 9) or not text or len(text.encode()) > TOKEN_LIMIT:
            raise Problem(
                f"{path.parent} names a control token {ascii(key)[:40]} wrongly in its settings; get it again."
            )
        texts[int(key)] = text
    if inside := sorted(number for number in texts if number < first):
        raise Problem(f"{path.parent} gives id {inside[0]:,} to a control token and to a rank; get matching files.")
    ids = sorted({*range(first, first + RESERVED), *texts})
    return {texts.get(number, f"<|reserved_token_{number}|>"): number for number in ids}
