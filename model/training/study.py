"""`python -m model.training study`: train MHA, GQA, MQA and MLA alike, as many at once as asked for.

Every run has a folder of its own and continues from its state file, so the command may be stopped and given again.
When all are done, `trained-SEED.safetensors` holds the four of one seed as they will be stored, and `study.json`
what training took.
"""

import argparse
import json
import logging
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from model.training import corpus
from model.training.batches import Batches
from model.training.corpus import Domain
from model.training.export import rounded
from model.training.generated import Exercises
from model.training.recipe import recipe_for
from model.training.run import Progress, Run, load_state
from model.training.schedule import Schedule, total_tokens
from model.training.streams import prepared
from model.training.study_figures import Quality, held_out_texts, quality
from model.training.study_recipe import KINDS, VOCABULARY, study_config, study_recipe

SEED = 20
DECAY_SHARE = 3  # the rate falls over the last third
SUMMARY, QUALITY, TEXTS = "study.json", "quality.json", "held_out.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `study` can be told."""
    parser.add_argument("--corpus", type=Path, help="folder of .txt files, one a domain; needed the first time")
    parser.add_argument("--work", type=Path, default=Path("out/study"), help="prepared text, logs, states, results")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--tokens", type=int, help="of each run; 5 million on a cpu, 100 million on a card")
    parser.add_argument("--seeds", type=int, help="how many; one on a cpu, three on a card")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, each a process of its own")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead, for each run")
    parser.add_argument("--only", nargs=2, metavar=("KIND", "SEED"), help="one run, in this process")
    parser.add_argument("--prepare-only", action="store_true", help="make tokenizer and prepared text, then stop")


def main(options: argparse.Namespace) -> None:
    """Train whatever is not finished, then gather the results."""
    options.tokens = options.tokens or (5_000_000 if options.device == "cpu" else 100_000_000)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.only:
        _train(options, options.only[0], int(options.only[1]))
        return
    prepared(options.work, options.corpus, vocabulary=VOCABULARY)
    _prepare_texts(options.work, options.corpus)
    if options.prepare_only:
        return
    seeds = range(SEED, SEED + (options.seeds or (1 if options.device == "cpu" else 3)))
    runs = [(kind, seed) for seed in seeds for kind in KINDS]
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = list(pool.map(lambda run: _process(options, *run), runs))
    if any(codes):
        sys.exit(f"{sum(map(bool, codes))} of {len(codes)} runs did not end well; their logs are in {options.work}")
    gather(options.work, seeds=list(seeds), device=options.device)


def gather(work: Path, *, seeds: list[int], device: str) -> None:
    """One file of weights a seed, and what training took."""
    facts: dict[str, Any] = {"device": _device_name(device), "seeds": seeds, "runs": {}, "quality": {}}
    for seed in seeds:
        together: dict[str, torch.Tensor] = {}
        for kind in KINDS:
            masters, progress = load_state(run_folder(work, kind, seed))
            facts["runs"][f"{kind}-{seed}"] = _progress(progress)
            facts["quality"][f"{kind}-{seed}"] = json.loads((run_folder(work, kind, seed) / QUALITY).read_text())
            together |= {f"{kind}/{name}": tensor for name, tensor in rounded(masters).items()}
        save_file(together, work / f"trained-{seed}.safetensors")
    (work / SUMMARY).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def trained(work: Path, kind: str, seed: int) -> dict[str, torch.Tensor]:
    """The gathered weights of one run under their checkpoint names."""
    stored = load_file(work / f"trained-{seed}.safetensors")
    prefix = f"{kind}/"
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}


def run_folder(work: Path, kind: str, seed: int) -> Path:
    """Log, history and state of one run."""
    return work / f"{kind}-{seed}"


def texts_of(work: Path) -> list[Domain]:
    """The held-out texts that quality is measured on."""
    stored = json.loads((work / TEXTS).read_text(encoding="utf-8"))
    return [Domain(name, "", text) for name, text in stored.items()]


def told_quality(summary: dict[str, Any], kind: str, seed: int) -> Quality:
    """What `gather` wrote of one run."""
    return Quality(**summary["quality"][f"{kind}-{seed}"])


def _prepare_texts(work: Path, corpus_folder: Path | None) -> None:
    if not (work / TEXTS).exists():
        if corpus_folder is None:
            raise ValueError(f"{work} holds no held-out text; name the corpus with --corpus")
        texts = {domain.name: domain.held_out for domain in held_out_texts(corpus.read(corpus_folder))}
        (work / TEXTS).write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")


def _process(options: argparse.Namespace, kind: str, seed: int) -> int:
    command = [sys.executable, "-m", "model.training", "study", "--only", kind, str(seed)]
    for name in ("work", "device", "tokens", "workers"):
        command += [f"--{name}", str(getattr(options, name))]
    return subprocess.run(command, check=False).returncode


def _train(options: argparse.Namespace, kind: str, seed: int) -> None:
    """One run, from its state file if there is one. Text, its order and the seed are the same for all kinds."""
    folder = run_folder(options.work, kind, seed)
    folder.mkdir(exist_ok=True)
    logging.basicConfig(filename=folder / "log.txt", level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    words, streams = prepared(options.work, None, vocabulary=VOCABULARY)
    config = study_config(next(known for known in KINDS if known == kind))
    recipe = study_recipe(recipe_for(options.device), seed=seed)
    batches = Batches(streams, seed=seed, exercises=Exercises(words))
    run = Run(config, recipe, batches, folder=folder, device=options.device, workers=options.workers)
    if (folder / "state.pt").exists():
        run.resume()
    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    warmup = min(recipe.warmup_tokens, options.tokens // 20)
    run.train(Schedule(warmup, options.tokens // DECAY_SHARE, options.tokens))
    if run.progress.tokens < total_tokens(folder / "total_tokens", options.tokens):
        sys.exit(1)
    torch.set_num_threads(1)  # others read beside this one
    found = quality(config, rounded(load_state(folder)[0]), words, texts_of(options.work))
    (folder / QUALITY).write_text(json.dumps(found._asdict()) + "\n", encoding="utf-8")


def _progress(progress: Progress) -> dict[str, int]:
    return {"tokens": progress.tokens, "steps": progress.step, "wall_seconds": round(progress.wall_seconds)}


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
