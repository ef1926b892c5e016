"""The model's own tokenizer: byte-level BPE learnt from a sample of the training text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from model.training.corpus import SEPARATOR, Domain
from model.training.recipe import DOCUMENT_END, DOCUMENT_END_ID

SAMPLE_CHARACTERS = 800_000  # of each domain, so that no language crowds the others out


def learn(domains: list[Domain], *, vocabulary: int) -> Tokenizer:
    """Every byte is a token, digits stand alone, and encoding a text puts `<|endoftext|>` before it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[DOCUMENT_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(domains), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{DOCUMENT_END} $A",
        pair=f"{DOCUMENT_END} $A {DOCUMENT_END} $B",
        special_tokens=[(DOCUMENT_END, DOCUMENT_END_ID)],
    )
    return tokenizer


def learn_once(domains: list[Domain], *, vocabulary: int, file: Path) -> Tokenizer:
    """The tokenizer in `file`, learnt and saved there if the file is missing."""
    if not file.exists():
        learn(domains, vocabulary=vocabulary).save(str(file))
    return Tokenizer.from_file(str(file))


def encode(tokenizer: Tokenizer, documents: list[str]) -> np.ndarray:
    """One stream of ids, `<|endoftext|>` before every document; uint16 [tokens]."""
    stream = [DOCUMENT_END_ID]
    for encoding in tokenizer.encode_batch_fast(documents, add_special_tokens=False):
        stream.extend(encoding.ids)
        stream.append(DOCUMENT_END_ID)
    return np.array(stream[:-1], dtype=np.uint16)


def _sample(domains: list[Domain]) -> Iterator[str]:
    for domain in domains:
        yield from domain.training[:SAMPLE_CHARACTERS].split(SEPARATOR)
