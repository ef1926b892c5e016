"""`python -m model.training train`: train the bundled model from text files."""

import argparse
import logging
import signal
from pathlib import Path

from model.training.batches import Batches
from model.training.generated import Exercises
from model.training.recipe import loupe_mini, loupe_mini_biased, recipe_for
from model.training.run import Run
from model.training.schedule import Schedule
from model.training.streams import prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `train` can be told."""
    parser.add_argument("--corpus", type=Path, help="folder of .txt files, one a domain; needed the first time")
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="log, state, tokenizer, prepared text")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--tokens", type=int, default=30_000_000, help="length; the file total_tokens of --work wins")
    parser.add_argument("--decay-tokens", type=int, default=15_000_000, help="length of the rate's decay to zero")
    parser.add_argument("--balance", choices=("losses", "bias"), default="losses", help="DeepSeek-V2's way, or V3's")
    parser.add_argument("--resume", action="store_true", help="continue from the state file")
    parser.add_argument("--prepare-only", action="store_true", help="make tokenizer and prepared text, then stop")


def main(options: argparse.Namespace) -> None:
    """Train; the state file of --work is what `publish` reads."""
    config = loupe_mini() if options.balance == "losses" else loupe_mini_biased()
    recipe = recipe_for(options.device, balance=options.balance)
    options.work.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=options.work / "log.txt", level=logging.INFO, format="%(asctime)s %(message)s", force=True
    )
    words, streams = prepared(options.work, options.corpus, vocabulary=config.vocab_size)
    logging.info("training tokens: %s", {name: len(ids) for name, ids in streams.items()})
    if options.prepare_only:
        return
    batches = Batches(streams, seed=recipe.seed, exercises=Exercises(words))
    run = Run(config, recipe, batches, folder=options.work, device=options.device, workers=options.workers)
    if options.resume:
        run.resume()
    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    run.train(Schedule(recipe.warmup_tokens, options.decay_tokens, options.tokens))
