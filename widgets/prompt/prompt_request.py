"""What a person asks for: a prompt or token ids, how many tokens, how to sample."""

from dataclasses import dataclass

from model.config import Sampling

MOST_TOKEN_ID = 2**31 - 1
MOST_TOKEN_IDS = 1_000_000


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """Either `prompt` or `token_ids` is given, the other is None; `chat` puts the prompt into the chat template."""

    prompt: str | None
    token_ids: tuple[int, ...] | None
    max_new_tokens: int
    sampling: Sampling
    chat: bool = False
    system: str = ""


@dataclass(frozen=True, slots=True)
class TokenIds:
    """What was read: the ids, or the first word that is no id and its place, counted from 1."""

    ids: tuple[int, ...]
    wrong_word: str = ""
    wrong_place: int = 0


def parse_token_ids(text: str) -> TokenIds:
    """Read `5, 7, 9`: whole numbers from 0, apart by commas or spaces."""
    ids: list[int] = []
    for place, word in enumerate(text.replace(",", " ").split(), start=1):
        # isascii: int() would take digits of other scripts, which nobody meant as an id.
        if not (word.isascii() and word.isdecimal()) or len(word) > 10 or int(word) > MOST_TOKEN_ID:
            return TokenIds((), word[:24], place)
        if place > MOST_TOKEN_IDS:
            return TokenIds((), word[:24], place)
        ids.append(int(word))
    return TokenIds(tuple(ids))
