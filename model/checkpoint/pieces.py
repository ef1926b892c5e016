"""What one token stands for, by itself: its text, with bytes that are only part of a character shown as ‹E4›."""

import re
from typing import Any

import tokenizers

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class PieceReader:
    """Texts of single tokens of one tokenizer, looked up once per id. `described` is its parsed `tokenizer.json`."""

    def __init__(self, library: tokenizers.Tokenizer, described: dict[str, Any]) -> None:
        self._library = library
        self._literal = {token.content for token in library.get_added_tokens_decoder().values()}
        self._byte_level = _mentions(described.get("decoder"), "ByteLevel")
        self._known: dict[int, str] = {}

    def piece(self, token: int) -> str:
        """The text of one token id; empty for an id without a token."""
        if token not in self._known:
            self._known[token] = self._read(token)
        return self._known[token]

    def _read(self, token: int) -> str:
        text = self._library.id_to_token(token) if token >= 0 else None
        if text is None or text in self._literal:
            return text or ""
        if self._byte_level:
            return shown_bytes(b"".join(_LETTER_BYTES.get(letter) or letter.encode() for letter in text))
        if match := _BYTE_TOKEN.fullmatch(text):
            return shown_bytes(bytes.fromhex(match[1]))
        return text.replace("▁", " ")


def shown_bytes(content: bytes) -> str:
    """UTF-8 as text; every byte that is not part of a whole character becomes ‹HH›."""
    text = content.decode("utf-8", "surrogateescape")
    return "".join(f"‹{ord(letter) - 0xDC00:02X}›" if 0xDC80 <= ord(letter) <= 0xDCFF else letter for letter in text)


def _letter_bytes() -> dict[str, bytes]:
    """The alphabet of byte-level BPE (GPT-2): printable Latin-1 stands for itself, the rest for U+0100 onward."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    letters = {chr(value): bytes([value]) for value in printable}
    return letters | {chr(0x100 + place): bytes([value]) for place, value in enumerate(others)}


def _mentions(decoder: object, kind: str) -> bool:
    if not isinstance(decoder, dict):
        return False
    inner = decoder.get("decoders")
    return decoder.get("type") == kind or any(
        _mentions(part, kind) for part in (inner if isinstance(inner, list) else [])
    )


_LETTER_BYTES = _letter_bytes()
