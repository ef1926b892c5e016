"""Bytes of single tokens as text, with what is only part of a character shown as ‹E4›."""


def shown_bytes(content: bytes) -> str:
    """UTF-8 as text; every byte that is not part of a whole character becomes ‹HH›."""
    text = content.decode("utf-8", "surrogateescape")
    return "".join(f"‹{ord(letter) - 0xDC00:02X}›" if 0xDC80 <= ord(letter) <= 0xDCFF else letter for letter in text)


def byte_level_bytes(text: str) -> bytes:
    """The bytes that a token of a byte-level vocabulary stands for; letters outside that alphabet are themselves."""
    return b"".join(_LETTER_BYTES.get(letter) or letter.encode() for letter in text)


def byte_level_text(content: bytes) -> str:
    """Bytes as a byte-level vocabulary writes them."""
    return "".join(_BYTE_LETTERS[value] for value in content)


def _letter_bytes() -> dict[str, bytes]:
    """The alphabet of byte-level BPE (GPT-2): printable Latin-1 stands for itself, the rest for U+0100 onward."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    letters = {chr(value): bytes([value]) for value in printable}
    return letters | {chr(0x100 + place): bytes([value]) for place, value in enumerate(others)}


_LETTER_BYTES = _letter_bytes()
_BYTE_LETTERS = {content[0]: letter for letter, content in _LETTER_BYTES.items()}
