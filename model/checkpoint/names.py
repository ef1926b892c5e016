"""From the tensors in the files to the names of `model.shapes`: one name per expert, however experts are stored."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from model.checkpoint.families.table import Parsed
from model.checkpoint.shards import Shard
from model.config import ModelConfig
from model.problems import Problem
from model.shapes import Shape, tensor_shapes
from model.tensorfile import Entry

_FUSED = re.compile(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)")
_LAYER = re.compile(r"model\.layers\.(\d+)\.")
_EXPERT = re.compile(r"\.mlp\.experts\.(\d+)\.")
# What a quantised tensor has beside it, as "X.weight_scale_inv" beside "X.weight" or "X.weight_packed".
_COMPANIONS = ("_scale_inv", "_scale", "_shape", "_zero_point", "_g_idx")
PACKED = "_packed"
_EXPERT_LIMIT = 4_096
_SHOWN = 4


class Source(NamedTuple):
    """Where one tensor's values are: a tensor of one shard, or `rows` of one expert's slice of a fused one."""

    shard: int
    stored: str
    entry: Entry
    expert: int | None = None
    rows: tuple[int, int] | None = None


class Located(NamedTuple):
    """Where every tensor that the config asks for is, and its shape, by the network's names.

    `companions` is what quantised tensors have beside them, by its names in the files.
    """

    config: ModelConfig
    sources: dict[str, Source]
    shapes: dict[str, Shape]
    companions: dict[str, Source]


def locate(shards: tuple[Shard, ...], parsed: Parsed, notes: list[str]) -> Located:
    """Find every tensor that the config asks for, once the stored ones have settled what it leaves open.

    Strict: raises Problem when one is missing, has another shape or is there twice. Tensors that nothing asks for
    are noted; scales and the like belong to their weights.
    """
    weights, companions = _apart(shards)
    found: dict[str, Source] = {}
    for stored, source in weights.items():
        name = parsed.canonical(stored.removesuffix(PACKED))
        for part, values in () if name is None else _unfused(name, source):
            if part in found:
                raise Problem(
                    f"{shards[source.shard].path} holds {stored}, which is {found[part].stored} once more; "
                    "download the folder again."
                )
            found[part] = values
    config = parsed.settle(parsed.config, found)
    expected = tensor_shapes(config)
    _compare(expected, found, config)
    _note_extras(found.keys() - expected.keys(), config, notes)
    return Located(config, {name: found[name] for name in expected}, expected, companions)


def _apart(shards: tuple[Shard, ...]) -> tuple[dict[str, Source], dict[str, Source]]:
    """Everything in the files by its name there: tensors of their own, and what others have beside them."""
    weights: dict[str, Source] = {}
    companions: dict[str, Source] = {}
    for number, shard in enumerate(shards):
        for stored, entry in shard.header.entries.items():
            where = companions if stored.endswith(_COMPANIONS) else weights
            where[stored] = Source(number, stored, entry)
    for stored in [stored for stored in companions if not _owned(stored, weights)]:
        weights[stored] = companions.pop(stored)
    return weights, companions


def _owned(companion: str, weights: Mapping[str, Source]) -> bool:
    owner = companion.removesuffix(next(ending for ending in _COMPANIONS if companion.endswith(ending)))
    return owner in weights or owner + PACKED in weights


def _unfused(name: str, source: Source) -> Iterable[tuple[str, Source]]:
    """One stored tensor under the name or names the network uses."""
    match = _FUSED.fullmatch(name) if name.endswith("_proj") else None
    return ((name, source),) if match is None or len(source.entry.shape) != 3 else _slices(match, source)


def _slices(match: re.Match[str], source: Source) -> Iterator[tuple[str, Source]]:
    """Each expert's part of a fused tensor: [E, 2·mi, D] is gate, then up."""
    experts, rows, _ = source.entry.shape
    if match[2] == "down_proj":
        parts = [("down_proj", 0, rows)]
    else:
        parts = [("gate_proj", 0, rows // 2), ("up_proj", rows // 2, rows)]
    for expert in range(min(experts, _EXPERT_LIMIT)):  # a header may claim billions of empty ones
        for part, start, end in parts:
            yield f"{match[1]}.{expert}.{part}.weight", source._replace(expert=expert, rows=(start, end))


def _shape(source: Source, expected: Shape) -> Shape:
    """As the network has it. Packed rows are filled up to whole words, so their length is the config's to say."""
    if source.rows is not None:
        return source.rows[1] - source.rows[0], source.entry.shape[2]
    if source.stored.endswith(PACKED) and len(source.entry.shape) == 2:
        rows, words = source.entry.shape
        return (rows, expected[-1] if words == -(-expected[-1] // 8) else 8 * words)
    return source.entry.shape


def _compare(expected: Mapping[str, Shape], found: Mapping[str, Source], config: ModelConfig) -> None:
    if missing := [name for name in expected if name not in found]:
        raise Problem(
            f"the checkpoint lacks {len(missing)} of {len(expected)} tensors that its config asks for "
            f"({', '.join(missing[:_SHOWN])}{_experts_hint(found, config)}); download it again or correct config.json."
        )
    if wrong := [name for name in expected if _shape(found[name], expected[name]) != expected[name]]:
        shown = ", ".join(
            f"{name} is {list(_shape(found[name], expected[name]))} instead of {list(expected[name])}"
            for name in wrong[:_SHOWN]
        )
        raise Problem(
            f"{len(wrong)} tensors have another shape than config.json asks for ({shown}); correct config.json."
        )


def _experts_hint(names: Iterable[str], config: ModelConfig) -> str:
    """Both numbers, when the files simply hold another number of experts than the config says."""
    held = {int(match[1]) for name in names if (match := _EXPERT.search(name))}
    if config.router is None or not held or len(held) == config.router.stored_experts:
        return ""
    return f"; the config says {config.router.stored_experts} experts, the files hold {len(held)}"


def _note_extras(extras: Iterable[str], config: ModelConfig, notes: list[str]) -> None:
    unknown: list[str] = []
    beyond = 0
    for name in sorted(extras):
        match = _LAYER.match(name)
        if match is not None and int(match[1]) >= config.layers:
            beyond += 1
        elif not name.endswith("inv_freq") and not (name == "lm_head.weight" and config.tie_word_embeddings):
            unknown.append(name)
    if beyond:
        notes.append(f"{beyond} tensors of layers from {config.layers} on (multi-token prediction) are skipped.")
    if unknown:
        notes.append(
            f"{len(unknown)} tensors that the config does not ask for are ignored: {', '.join(unknown[:_SHOWN])}."
        )
