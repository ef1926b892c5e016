"""`python -m model.training --corpus DIR --out DIR`: train the bundled model from text files."""

import argparse
import logging
import signal
from pathlib import Path

from model.training import corpus, tokenizer
from model.training.batches import Batches
from model.training.card import REPEATABLE
from model.training.publish import publish
from model.training.recipe import Recipe, loupe_mini
from model.training.run import Run
from model.training.schedule import Schedule


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="model.training", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of .txt files, one a domain")
    parser.add_argument("--out", type=Path, default=Path("resources/loupe-mini"), help="checkpoint folder to write")
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="log, state and tokenizer of the run")
    parser.add_argument("--tokens", type=int, default=30_000_000, help="length; the file total_tokens of --work wins")
    parser.add_argument("--decay-tokens", type=int, default=15_000_000, help="length of the rate's decay to zero")
    parser.add_argument("--resume", action="store_true", help="continue from the state file")
    return parser.parse_args()


def main() -> None:
    """Train."""
    options, recipe, config = arguments(), Recipe(), loupe_mini()
    options.work.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=options.work / "log.txt", level=logging.INFO, format="%(asctime)s %(message)s", force=True
    )
    domains = corpus.read(options.corpus)
    words = tokenizer.learn_once(domains, vocabulary=config.vocab_size, file=options.work / "tokenizer.json")
    streams = {domain.name: tokenizer.encode(words, domain.training_documents()) for domain in domains}
    logging.info("training tokens: %s", {name: len(ids) for name, ids in streams.items()})
    run = Run(config, recipe, Batches(streams, seed=recipe.seed), folder=options.work)
    if options.resume:
        run.resume()
    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    run.train(Schedule(recipe.warmup_tokens, options.decay_tokens, options.tokens))
    publish(
        options.out,
        work=options.work,
        corpus_folder=options.corpus,
        config=config,
        recipe=recipe,
        domains=domains,
        note=f"Asked for with `--tokens {options.tokens} --decay-tokens {options.decay_tokens}`. {REPEATABLE}",
    )


if __name__ == "__main__":
    main()
