"""From the tensors in the files to the names of `model.shapes`: one name per expert, however experts are stored."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from model.checkpoint.shards import Shard
from model.config import ModelConfig
from model.problems import Problem
from model.shapes import Shape, tensor_shapes
from model.tensorfile import Entry

_FUSED = re.compile(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)")
_LAYER = re.compile(r"model\.layers\.(\d+)\.")
_EXPERT = re.compile(r"\.mlp\.experts\.(\d+)\.")
_SHOWN = 4


class Source(NamedTuple):
    """Where one tensor's values are: a tensor of one shard, or `rows` of one expert's slice of a fused one."""

    shard: int
    stored: str
    entry: Entry
    expert: int | None = None
    rows: tuple[int, int] | None = None


def locate(
    shards: tuple[Shard, ...], config: ModelConfig, canonical: Callable[[str], str | None], notes: list[str]
) -> dict[str, Source]:
    """Where every tensor that the config asks for is stored; `canonical` turns stored names into the network's.

    Strict: raises Problem when one is missing, has another shape or is there twice. Tensors that nothing asks for
    are noted.
    """
    expected = tensor_shapes(config)
    found: dict[str, Source] = {}
    for number, shard in enumerate(shards):
        for stored, entry in shard.header.entries.items():
            name = canonical(stored)
            for part, source in _unfused(name, Source(number, stored, entry)) if name is not None else ():
                if part in found:
                    other = found[part].stored
                    raise Problem(f"{shard.path} holds {stored}, which is {other} again; download the folder again.")
                found[part] = source
    _compare(expected, found, config)
    _note_extras(found.keys() - expected.keys(), config, notes)
    return {name: found[name] for name in expected}


def _unfused(name: str, source: Source) -> Iterator[tuple[str, Source]]:
    """One stored tensor under the name or names the network uses. Fused: [E, 2·mi, D] is gate, then up."""
    match = _FUSED.fullmatch(name) if name.endswith("_proj") else None
    if match is None or len(source.entry.shape) != 3:
        yield name, source
        return
    experts, rows, _ = source.entry.shape
    if match[2] == "down_proj":
        parts = [("down_proj", 0, rows)]
    else:
        parts = [("gate_proj", 0, rows // 2), ("up_proj", rows // 2, rows)]
    for expert in range(experts):
        for part, start, end in parts:
            yield f"{match[1]}.{expert}.{part}.weight", source._replace(expert=expert, rows=(start, end))


def _shape(source: Source) -> Shape:
    if source.rows is None:
        return source.entry.shape
    return source.rows[1] - source.rows[0], source.entry.shape[2]


def _compare(expected: Mapping[str, Shape], found: Mapping[str, Source], config: ModelConfig) -> None:
    if missing := [name for name in expected if name not in found]:
        raise Problem(
            f"the checkpoint lacks {len(missing)} of {len(expected)} tensors that its config asks for "
            f"({', '.join(missing[:_SHOWN])}{_experts_hint(found, config)}); download it again or correct config.json."
        )
    if wrong := [name for name in expected if _shape(found[name]) != expected[name]]:
        shown = ", ".join(
            f"{name} is {list(_shape(found[name]))} instead of {list(expected[name])}" for name in wrong[:_SHOWN]
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
