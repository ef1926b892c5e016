"""`python -m model.training publish`: the checkpoint folder from a run's state, finished or still going."""

import argparse
import shutil
from pathlib import Path

import torch

from model.config import ModelConfig
from model.training import corpus, parameters, tokenizer
from model.training.card import REPEATABLE, card, credits_of
from model.training.corpus import Domain
from model.training.export import export, rounded, write_json
from model.training.recipe import Recipe, loupe_mini, recipe_for
from model.training.report import Subject, report
from model.training.run import load_state


def publish(
    out: Path,
    *,
    work: Path,
    corpus_folder: Path,
    config: ModelConfig,
    recipe: Recipe,
    domains: list[Domain],
    note: str = REPEATABLE,
) -> None:
    """Export the state's weights, report on exactly these rounded weights, write the card, copy the licences."""
    masters, progress = load_state(work)
    weights = rounded(masters)
    words = tokenizer.learn_once(domains, vocabulary=config.vocab_size, file=work / "tokenizer.json")
    export(out, config=config, recipe=recipe, weights=weights, tokenizer_file=work / "tokenizer.json")
    facts = report(
        Subject(config, parameters.bound(config, parameters.stacked(weights)), words, domains), recipe, progress
    )
    write_json(out / "report.json", facts)
    sources = corpus_folder / "SOURCES.md"
    text = sources.read_text(encoding="utf-8") if sources.exists() else ""
    words_of_card = card(config, recipe, facts, credit_lines=credits_of(text), note=note)
    (out / "README.md").write_text(words_of_card, encoding="utf-8")
    if text:
        (out / "SOURCES.md").write_text(text, encoding="utf-8")
    if (corpus_folder / "LICENSES").is_dir():
        _copy_files(corpus_folder / "LICENSES", out / "LICENSES")


def _copy_files(source: Path, target: Path) -> None:
    """Contents only: the corpus may be read-only, its copy should not be."""
    target.mkdir(exist_ok=True)
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, target / file.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `publish` can be told."""
    parser.add_argument("--corpus", type=Path, required=True, help="folder of .txt files, one a domain")
    parser.add_argument("--out", type=Path, default=Path("resources/loupe-mini"), help="checkpoint folder to write")
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="the run's state and tokenizer")
    parser.add_argument("--device", default="cpu", help="what it was trained on")
    parser.add_argument("--note", default=REPEATABLE, help="for the card: how exactly the run can be repeated")


def main(options: argparse.Namespace) -> None:
    """Publish."""
    torch.set_num_threads(1)  # beside a run that still goes on, a second thread would mostly wait and spin
    publish(
        options.out,
        work=options.work,
        corpus_folder=options.corpus,
        config=loupe_mini(),
        recipe=recipe_for(options.device),
        domains=corpus.read(options.corpus),
        note=options.note,
    )
