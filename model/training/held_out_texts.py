"""`python -m model.training.held_out_texts CORPUS FOLDER`: the text that training never saw, a file for each domain."""

import argparse
from pathlib import Path

from model.training import corpus
from model.training.corpus import SEPARATOR


def write(corpus_folder: Path, folder: Path) -> list[Path]:
    """Write every domain's held-out part; the marks between documents, which are no text, become empty lines."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for domain in corpus.read(corpus_folder):
        files.append(folder / f"{domain.name}.txt")
        files[-1].write_text(domain.held_out.replace(SEPARATOR, "\n\n\n"), encoding="utf-8")
    return files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("corpus", type=Path, help="folder of .txt files, one a domain")
    parser.add_argument("folder", type=Path, help="where to write")


def main(options: argparse.Namespace) -> None:
    """Write them."""
    write(options.corpus, options.folder)
