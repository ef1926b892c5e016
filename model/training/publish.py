"""`python -m model.training publish`: the checkpoint folder from a run's state, finished or still going."""

import argparse
import shutil
from pathlib import Path

import torch

from model.config import ModelConfig
from model.training import corpus
from model.training.card import REPEATABLE, write_card
from model.training.corpus import Domain
from model.training.export import export, rounded, write_json
from model.training.facts import training_facts
from model.training.recipe import Recipe, loupe_mini, recipe_for
from model.training.report import SEQUENCES_PER_DOMAIN, report, subject
from model.training.run import load_state


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `publish` can be told."""
    parser.add_argument("--corpus", type=Path, required=True, help="folder of .txt files, one a domain")
    parser.add_argument("--out", type=Path, default=Path("resources/loupe-mini"), help="checkpoint folder to write")
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="the run's state and tokenizer")
    parser.add_argument("--other", type=Path, help="folder of a run that balanced the other way, for comparison")
    parser.add_argument("--device", default="cpu", help="what it was trained on: cpu or cuda")
    parser.add_argument("--sequences", type=int, default=SEQUENCES_PER_DOMAIN, help="held-out sequences a domain")
    parser.add_argument("--note", default=REPEATABLE, help="for the card: how exactly the run can be repeated")


def main(options: argparse.Namespace) -> None:
    """Publish."""
    torch.set_num_threads(1)  # beside a run that still goes on, a second thread would mostly wait and spin
    recipe = recipe_for(options.device)
    write_folder(options.out, work=options.work, config=loupe_mini(), recipe=recipe, other=options.other)
    describe(
        options.out,
        corpus_folder=options.corpus,
        domains=corpus.read(options.corpus),
        sequences=options.sequences,
        note=options.note,
    )


def write_folder(out: Path, *, work: Path, config: ModelConfig, recipe: Recipe, other: Path | None = None) -> None:
    """Weights, configuration, tokenizer, and what training took."""
    masters, _ = load_state(work)
    weights = rounded(masters)
    export(out, config=config, recipe=recipe, weights=weights, tokenizer_file=work / "tokenizer.json")
    write_json(out / "training.json", training_facts(work, recipe, other=other))


def describe(
    out: Path,
    *,
    corpus_folder: Path,
    domains: list[Domain],
    sequences: int = SEQUENCES_PER_DOMAIN,
    note: str = REPEATABLE,
) -> None:
    """Report on the folder as it lies there, copy sources and licences, write the card from all that."""
    write_json(out / "report.json", report(subject(out, domains), out, sequences))
    if (corpus_folder / "SOURCES.md").exists():
        shutil.copyfile(corpus_folder / "SOURCES.md", out / "SOURCES.md")
    if (corpus_folder / "LICENSES").is_dir():
        _copy_files(corpus_folder / "LICENSES", out / "LICENSES")
    write_card(out, note=note)


def _copy_files(source: Path, target: Path) -> None:
    """Contents only: the corpus may be read-only, its copy should not be."""
    target.mkdir(exist_ok=True)
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, target / file.name)
