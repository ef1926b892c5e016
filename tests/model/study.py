"""A study as `study` leaves it and `study-publish` writes it, of untrained weights: made in a second."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from model.training import corpus, tokenizer
from model.training.parameters import initial, separate
from model.training.recipe import Recipe
from model.training.study_export import export
from model.training.study_recipe import KINDS, study_config

TEXT = "\n<|endoftext|>\n".join(f"the king said {number} to the queen and the queen was glad" for number in range(900))


def make_study(folder: Path) -> Path:
    """Four folders of checkpoints in bfloat16 with a tokenizer of 300 entries."""
    words_file = folder / "words.json"
    learnt: Tokenizer = tokenizer.learn([corpus.split("tales", TEXT)], vocabulary=300)
    learnt.save(str(words_file))
    for kind in KINDS:
        config = replace(study_config(kind), vocab_size=learnt.get_vocab_size())
        weights = {name: x.to(torch.bfloat16) for name, x in separate(initial(config, seed=7)).items()}
        weights = {name: x.contiguous() for name, x in weights.items()}
        export(folder / kind, config=config, recipe=Recipe(), weights=weights, tokenizer_file=words_file)
    return folder


def quality_of(kind: str, seed: int) -> dict[str, object]:
    """Invented figures, told apart by kind and seed."""
    return {"held_out": {"tales": 2 + seed / 1000, "laws": 3 + len(kind)}, "induction": 0.5, "repetition_gain": 1.0}


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
