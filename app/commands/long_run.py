"""A run folder of any length made from a short one: its whole chunks over and over. Torch-free.

Latents, query sources and texts repeat; positions go on, so every query is rotated for its own place. Nothing is real
about such a run but its size, and its title says so.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec import structs

from model.problems import Problem
from model.recording.chunk_file import Stored, digest
from model.recording.columns import CHUNK_TOKENS
from model.recording.manifest import ChunkEntry, Manifest, chunk_name, read_manifest, write_manifest
from model.tensorfile import TensorFile, write_tensors

PROJECTIONS = "projections.safetensors"


def stretch(source: Path, target: Path, *, tokens: int) -> None:
    """Write a run of `tokens` tokens, rounded down to whole chunks. Raises Problem when the source is too short."""
    manifest = read_manifest(source)
    whole = [entry for entry in manifest.chunks if entry.tokens[1] - entry.tokens[0] == CHUNK_TOKENS]
    if not whole:
        raise Problem(f"{source} has fewer than {CHUNK_TOKENS} tokens; record a longer run to stretch.")
    target.mkdir(parents=True, exist_ok=True)
    entries: list[ChunkEntry] = []
    step = 0
    for index in range(tokens // CHUNK_TOKENS):
        entry = _repeat(whole[index % len(whole)], source, target, index=index, step=step)
        entries.append(entry)
        step = entry.steps[1]
    shutil.copyfile(source / PROJECTIONS, target / PROJECTIONS)
    write_manifest(target, _described(manifest, target, entries))


def _repeat(entry: ChunkEntry, source: Path, target: Path, *, index: int, step: int) -> ChunkEntry:
    """One chunk again, its tokens counted on from where it now stands."""
    file = TensorFile(source / entry.name)
    stored: Stored = {name: (each.dtype, file.array(name)) for name, each in file.header.entries.items()}
    first = index * CHUNK_TOKENS
    if "tokens" in stored:
        dtype, counts = stored["tokens"]
        stored["tokens"] = (dtype, counts.astype(np.int64) - entry.tokens[0] + first)
    sha, name = digest(stored), chunk_name(index, CHUNK_TOKENS)
    steps = entry.steps[1] - entry.steps[0]
    metadata = {"sha256": sha, "tokens": str(CHUNK_TOKENS), "steps": str(steps)}
    write_tensors(target / name, stored, metadata)
    return ChunkEntry(name, (first, first + CHUNK_TOKENS), (step, step + steps), sha)


def _described(manifest: Manifest, target: Path, entries: list[ChunkEntry]) -> Manifest:
    tokens = entries[-1].tokens[1]
    config = replace(manifest.info.config, max_position_embeddings=tokens)
    title = f"synthetic: {manifest.info.title}"
    info = structs.replace(manifest.info, title=title, folder=str(target), config=config, prompt_tokens=tokens)
    return structs.replace(manifest, info=info, chunks=entries)
