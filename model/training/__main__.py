"""`python -m model.training COMMAND`: make the bundled model from text files, and say what it can do."""

import argparse
import sys
from importlib import import_module
from typing import Any

COMMANDS = {
    "train": "train the bundled model from text files",
    "publish": "write the checkpoint folder from a run's state, finished or still going",
    "card": "write the model card again from the report",
    "speed": "measure a training step against its simplest version",
    "report": "measure a checkpoint folder on held-out text and print every figure",
    "study": "train MHA, GQA, MQA and MLA alike, to be compared",
    "study-publish": "write the study's four folders and their report from what `study` trained",
    "study-report": "take the study's figures again from its shipped folders",
    "held-out-texts": "write the text that training never saw, a file for each domain",
    "tour": "measure what there is to see in a checkpoint, and write the tour of it",
}


def _module(command: str) -> Any:
    return import_module(f"model.training.{command.replace('-', '_')}")


def main() -> None:
    """Hand over to the command's own module; without a command, train."""
    words = sys.argv[1:]
    if not words or words[0].startswith("--"):
        words = ["train", *words]
    parser = argparse.ArgumentParser(prog="model.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    known = words[0] if words[0] in COMMANDS else None
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if name == known:
            _module(name).add_arguments(command)
    options = parser.parse_args(words)
    _module(options.command).main(options)


if __name__ == "__main__":
    main()
