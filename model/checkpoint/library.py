"""What a tokenizer needs from the library behind it, and the two libraries in that shape."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import tiktoken
import tokenizers

from model.checkpoint.pieces import byte_level_bytes, shown_bytes

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Library(Protocol):
    """Text to ids and back. Faults come as whatever the library raises; `model.checkpoint.tokenizer` translates."""

    @property
    def controls(self) -> Mapping[str, int]:
        """The control tokens by what they look like."""
        ...

    def encode(self, text: str, *, parse_control: bool) -> list[int]:
        """Ids of a text, nothing added. What looks like a control token is one only with `parse_control`."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids ≥ 0, without control tokens; ids without a token add nothing."""
        ...

    def piece(self, token: int) -> str:
        """One token by itself; bytes that are only part of a character as ‹E4›; empty for an id without a token."""
        ...


class JsonLibrary:
    """Hugging Face's `tokenizers`. `byte_level`: its vocabulary is written in GPT-2's alphabet of bytes."""

    def __init__(self, library: tokenizers.Tokenizer, *, byte_level: bool) -> None:
        self._library = library
        self._byte_level = byte_level
        added = library.get_added_tokens_decoder()
        self._literal = {token.content for token in added.values()}
        self.controls: Mapping[str, int] = {token.content: number for number, token in added.items() if token.special}

    def encode(self, text: str, *, parse_control: bool) -> list[int]:
        """See Library."""
        self._library.encode_special_tokens = not parse_control
        return list(self._library.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """See Library."""
        return str(self._library.decode(list(ids)))

    def piece(self, token: int) -> str:
        """See Library."""
        text = self._library.id_to_token(token) if token >= 0 else None
        if text is None or text in self._literal:
            return text or ""
        if self._byte_level:
            return shown_bytes(byte_level_bytes(text))
        if match := _BYTE_TOKEN.fullmatch(text):
            return shown_bytes(bytes.fromhex(match[1]))
        return text.replace("▁", " ")


class TiktokenLibrary:
    """OpenAI's `tiktoken`, made from ranks and control tokens that were read from files."""

    def __init__(self, *, ranks: Mapping[bytes, int], controls: Mapping[str, int], pattern: str) -> None:
        self.controls = dict(controls)
        self._encoding = tiktoken.Encoding(
            "checkpoint", pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens=self.controls
        )
        self._bytes = {number: token for token, number in ranks.items()}
        self._control_texts = {number: text for text, number in self.controls.items()}

    def encode(self, text: str, *, parse_control: bool) -> list[int]:
        """See Library."""
        return self._encoding.encode(text, allowed_special="all" if parse_control else set(), disallowed_special=())

    def decode(self, ids: Sequence[int]) -> str:
        """See Library."""
        return b"".join(self._bytes.get(token, b"") for token in ids).decode("utf-8", "replace")

    def piece(self, token: int) -> str:
        """See Library."""
        if token in self._control_texts:
            return self._control_texts[token]
        return shown_bytes(self._bytes.get(token, b""))
