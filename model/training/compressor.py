"""What a general compressor makes of the same text: the bar that a language model has to clear."""

import lzma

PRIMER_BYTES = 2_000_000


def bits_per_byte(text: bytes, *, primer: bytes = b"") -> float:
    """`xz -9e`: what `text` adds to the size of the compressed primer."""
    return 8 * (_size(primer + text) - (_size(primer) if primer else 0)) / len(text)


def _size(text: bytes) -> int:
    return len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
