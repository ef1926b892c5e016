"""`python -m model.training study-report`: the study's table, taken again from its shipped folders."""

import argparse
import sys
from pathlib import Path

from msgspec import structs
from safetensors.torch import load_file
from tokenizers import Tokenizer

from model.caches import kept_bytes
from model.shapes import parameters_total
from model.study_report import StudyReport, read_report
from model.training import corpus
from model.training.study_figures import decode_speeds, held_out_texts, measured_bytes_per_token, quality
from model.training.study_publish import opened
from model.training.study_words import domains, outcome, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `study-report` can be told."""
    parser.add_argument("--folder", type=Path, default=Path("resources/study"), help="the four folders and report.json")
    parser.add_argument("--corpus", type=Path, help="text to read again; without it quality is as reported")


def main(options: argparse.Namespace) -> None:
    """Print the table of what these folders give now, of the first seed alone, and the shipped one for comparison."""
    shipped = read_report(options.folder)
    again = measured(options.folder, shipped, options.corpus)
    say = sys.stdout.write
    say(f"Measured now, from the weights in {options.folder}:\n\n{table(again)}\n\n{domains(again)}\n\n")
    say(f"As shipped ({len(shipped.seeds)} seeds):\n\n{table(shipped)}\n\n{outcome(shipped)}\n")


def measured(folder: Path, shipped: StudyReport, texts: Path | None) -> StudyReport:
    """The report again, of the weights in the folders. Raises Problem for a folder that does not open."""
    decoders = opened(folder)
    speeds = decode_speeds(list(opened(folder, dtype="float32").values()))
    domains_read = None if texts is None else held_out_texts(corpus.read(texts))
    models = []
    for model, speed in zip(shipped.models, speeds, strict=True):
        decoder, config = decoders[model.kind], decoders[model.kind].config
        held_out = {name: values[:1] for name, values in model.held_out.items()}
        induction, gain = model.induction[:1], model.repetition_gain[:1]
        if domains_read is not None:
            words = Tokenizer.from_file(str(folder / model.kind / "tokenizer.json"))
            found = quality(config, load_file(folder / model.kind / "model.safetensors"), words, domains_read)
            held_out = {name: [value] for name, value in found.held_out.items()}
            induction, gain = [found.induction], [found.repetition_gain]
        models.append(
            structs.replace(
                model,
                parameters=parameters_total(config),
                kv_bytes_formula=kept_bytes(config, 2),
                kv_bytes_measured=measured_bytes_per_token(decoder),
                held_out=held_out,
                induction=induction,
                repetition_gain=gain,
                tokens_per_second=speed,
            )
        )
    return structs.replace(shipped, models=models, seeds=shipped.seeds[:1])
