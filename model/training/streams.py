"""The training text as token ids, made once: a file that a machine without the corpus can train from."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from model.training import corpus, tokenizer


def prepared(work: Path, corpus_folder: Path | None, *, vocabulary: int) -> tuple[Tokenizer, dict[str, np.ndarray]]:
    """Tokenizer and streams by domain, uint16, from `work`, or made from the corpus and kept there.

    Raises ValueError when neither is there.
    """
    words_file, streams_file = work / "tokenizer.json", work / "streams.npz"
    if not (words_file.exists() and streams_file.exists()):
        if corpus_folder is None:
            raise ValueError(f"{work} holds no prepared text; name the corpus with --corpus")
        domains = corpus.read(corpus_folder)
        words = tokenizer.learn_once(domains, vocabulary=vocabulary, file=words_file)
        streams = {domain.name: tokenizer.encode(words, domain.training_documents()) for domain in domains}
        np.savez(streams_file, allow_pickle=False, **streams)
    with np.load(streams_file, allow_pickle=False) as kept:
        return Tokenizer.from_file(str(words_file)), {name: kept[name] for name in kept.files}
