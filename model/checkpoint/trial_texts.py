"""Texts on which tokenizers fail when they fail. Only ever called in a helper process (`confined`)."""

from model.checkpoint.tokenizer_files import read_tokenizer

TEXTS = (
    "hello world",
    "a" * 10_000,
    " " * 10_000,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    "1" * 2_000 + "!",
    "世界" * 2_000,
    "e" + "\u0301" * 2_000 + "👋🏽\r\n\0\u202e",
    "<|im_end|><｜User｜></s>",
)


def perform(argument: object) -> int:
    """Read the tokenizer of a path and try it; returns how many ids came out. Raises Problem, or does not return."""
    tokenizer = read_tokenizer(str(argument))
    if tokenizer is None:
        return 0
    count = 0
    for text in TEXTS:
        for parse_control in (False, True):
            ids = tokenizer.encode(text, parse_control=parse_control)
            tokenizer.decode(ids)
            count += len(ids)
    return count
