"""manifest.json: what a run folder says about itself. Read as if an enemy had written it. Torch-free."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Literal

import msgspec

from model.config import ModelConfig, RouterConfig
from model.messages import RunInfo
from model.outside import parse_json, read_bounded
from model.problems import Problem
from model.recording.columns import CHUNK_TOKENS, STORED_DTYPES

FORMAT = 2  # 1: without the columns SINCE_FORMAT_2
MANIFEST = "manifest.json"
CHUNK_NAME = re.compile(r"chunk-(\d{6})-(\d{4})\.safetensors", re.ASCII)

MANIFEST_BYTES_LIMIT = 64 * 2**20
TOKENS_LIMIT = 10**9
WIDTH_LIMIT = 2**24  # of any axis of the model
LAYERS_LIMIT = 4096
INTEGER_LIMIT = 2**63  # what a message can carry

Reason = Literal["length", "eos", "stopped", "failed"]


class ChunkEntry(msgspec.Struct, frozen=True):
    """One chunk: file name, the token and step ranges it holds, and the digest of its contents."""

    name: str
    tokens: tuple[int, int]
    steps: tuple[int, int]
    sha256: str


class Finish(msgspec.Struct, frozen=True):
    """How the run ended."""

    reason: Reason
    text: str
    prefill_seconds: float = 0.0
    decode_tokens_per_second: float = 0.0
    note: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a run but its columns. `finish` is None while it goes on, or when it was cut off."""

    format: int
    app_version: str
    info: RunInfo
    fingerprint: str
    keep_logits: bool
    notes: list[str]
    chunks: list[ChunkEntry]
    finish: Finish | None = None


def chunk_name(index: int, tokens: int) -> str:
    """The file name of chunk `index` when it holds `tokens` tokens: a fuller tail never overwrites an older one."""
    return f"chunk-{index:06}-{tokens:04}.safetensors"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest; the old one stays whole until the new one is on disk. Raises OSError."""
    content = msgspec.json.encode(manifest)
    temporary = folder / f".{MANIFEST}.{os.getpid()}.part"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / MANIFEST)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder outlive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_manifest(folder: Path) -> Manifest:
    """The checked manifest of a run folder. Raises Problem: not a run, newer format, or a value out of bounds."""
    path = folder / MANIFEST
    if path.is_symlink():
        raise Problem(f"{path} is a link, and a recording may not point elsewhere; copy the file itself.")
    if not path.exists():
        raise Problem(f"{folder} holds no {MANIFEST}, so it is not a recording; choose the folder of a run.")
    value = parse_json(read_bounded(path, limit=MANIFEST_BYTES_LIMIT), where=str(path))
    found = value.get("format") if isinstance(value, dict) else None
    if type(found) is not int or found < 1:
        raise Problem(f"{path} does not name its format, so it is not a recording's; choose the folder of a run.")
    if found > FORMAT:
        raise Problem(f"{path} has format {found}, and this program reads up to format {FORMAT}; update the program.")
    if any(not -INTEGER_LIMIT <= number < INTEGER_LIMIT for number in _integers(value)):
        raise Problem(f"{path} is damaged: it has a whole number of more than 64 bits; open another recording.")
    try:
        manifest = msgspec.convert(value, Manifest)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Problem(f"{path} is damaged ({error}); open another recording.") from None
    problem = _config_problem(manifest.info.config) or _problem(manifest)
    if problem is not None:
        raise Problem(f"{path} is damaged: {problem}; open another recording.")
    return manifest


def is_plain_file(path: Path) -> bool:
    """Whether this is a regular file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _integers(value: object) -> Iterator[int]:
    """Every whole number in a JSON value, whose depth is already known to be bounded."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _integers(item)


def _problem(manifest: Manifest) -> str | None:
    if manifest.info.dtype not in STORED_DTYPES:
        return f"the dtype {manifest.info.dtype[:40]!r} is unknown"
    for index, entry in enumerate(manifest.chunks):
        match = CHUNK_NAME.fullmatch(entry.name)
        start = index * CHUNK_TOKENS
        if match is None:
            return f"{entry.name[:80]!r} is not the name of a chunk"
        if not start < entry.tokens[1] <= start + CHUNK_TOKENS or entry.tokens[0] != start:
            return f"chunk {index} claims the tokens {entry.tokens}"
        if entry.name != chunk_name(index, entry.tokens[1] - start):
            return f"chunk {index} is called {entry.name}"
    if manifest.chunks and manifest.chunks[-1].tokens[1] > TOKENS_LIMIT:
        return f"more than {TOKENS_LIMIT:,} tokens"
    return None


def _config_problem(config: ModelConfig) -> str | None:
    """What about a config could make arrays that nobody meant, or no sense at all."""
    for field in fields(ModelConfig):
        value = getattr(config, field.name)
        optional = field.name in ("shared_experts", "bos_token_id", "intermediate_size", "moe_intermediate_size")
        if type(value) is int and not (0 if optional else 1) <= value <= WIDTH_LIMIT:
            return f"{field.name} is {value}"
    if config.layers > LAYERS_LIMIT or config.qk_rope_head_dim % 2:
        return f"{config.layers} layers with a rotary width of {config.qk_rope_head_dim}"
    if list(config.moe_layers) != sorted({layer for layer in config.moe_layers if 0 <= layer < config.layers}):
        return f"moe_layers do not lie within {config.layers} layers"
    if (config.router is None) != (not config.moe_layers):
        return "MoE layers and a router only make sense together"
    return _rope_problem(config) or (None if config.router is None else _router_problem(config.router))


def _rope_problem(config: ModelConfig) -> str | None:
    yarn, longrope, temperature = config.rope.yarn, config.rope.longrope, config.query_temperature
    divisors = [yarn.factor, yarn.beta_fast, yarn.beta_slow] if yarn else []
    for factors in (longrope.short_factors, longrope.long_factors) if longrope else ():
        if len(factors) != config.qk_rope_head_dim // 2:
            return f"{len(factors)} rotary factors for a width of {config.qk_rope_head_dim}"
        divisors += factors
    if not config.rope.theta > 1 or not all(divisor > 0 for divisor in divisors):
        return "the rotary frequencies make no sense"
    for scaled in (yarn, longrope, temperature):
        if scaled is not None and not 1 <= scaled.original_max_position_embeddings <= TOKENS_LIMIT:
            return f"the original context is {scaled.original_max_position_embeddings} tokens"
    return None


def _router_problem(router: RouterConfig) -> str | None:
    if not 1 <= router.experts_per_token <= router.experts <= 2**15 or router.groups < 1:
        return f"{router.experts_per_token} of {router.experts} experts in {router.groups} groups"
    if router.experts % router.groups or not 1 <= router.groups_per_token <= router.groups:
        return f"{router.groups_per_token} of {router.groups} groups of {router.experts} experts"
    if not 0 <= router.zero_experts < router.experts:
        return f"{router.zero_experts} of {router.experts} experts without weights"
    return None
