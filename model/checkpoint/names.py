"""From the tensors in the files to the names of `model.shapes`: one name per expert, however experts are stored."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.checkpoint.shards import Shard
from model.config import ModelConfig
from model.problems import Problem
from model.shapes import Shape, tensor_shapes
from model.tensorfile import Entry

_FUSED = re.compile(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)")
_LAYER = re.compile(r"model\.layers\.(\d+)\.")
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Source:
    """Where one tensor's values are: a tensor of one shard, or `rows` of one expert's slice of a fused one."""

    shard: int
    stored: str
    expert: int | None = None
    rows: tuple[int, int] | None = None


def locate(shards: tuple[Shard, ...], config: ModelConfig, notes: list[str]) -> dict[str, Source]:
    """Where every tensor that the config asks for is stored.

    Strict: raises Problem when one is missing or has another shape. Tensors that nothing asks for are noted.
    """
    expected = tensor_shapes(config)
    found: dict[str, Source] = {}
    shapes: dict[str, Shape] = {}
    for number, shard in enumerate(shards):
        for stored, entry in shard.header.entries.items():
            for name, source, shape in _unfused(number, stored, entry):
                found[name], shapes[name] = source, shape
    _compare(expected, shapes, config)
    _note_extras(shapes.keys() - expected.keys(), config, notes)
    return {name: found[name] for name in expected}


def _unfused(shard: int, stored: str, entry: Entry) -> Iterable[tuple[str, Source, Shape]]:
    """One stored tensor under the name or names the network uses. Fused: [E, 2·mi, D] is gate, then up."""
    match = _FUSED.fullmatch(stored)
    if match is None or len(entry.shape) != 3:
        yield stored, Source(shard, stored), entry.shape
        return
    experts, rows, width = entry.shape
    if match[2] == "down_proj":
        parts = [("down_proj", 0, rows)]
    else:
        parts = [("gate_proj", 0, rows // 2), ("up_proj", rows // 2, rows)]
    for expert in range(experts):
        for part, start, end in parts:
            source = Source(shard, stored, expert, (start, end))
            yield f"{match[1]}.{expert}.{part}.weight", source, (end - start, width)


def _compare(expected: Mapping[str, Shape], shapes: Mapping[str, Shape], config: ModelConfig) -> None:
    if missing := [name for name in expected if name not in shapes]:
        raise Problem(
            f"the checkpoint lacks {len(missing)} of {len(expected)} tensors that its config asks for "
            f"({', '.join(missing[:_SHOWN])}{_experts_hint(shapes, config)}); download it again or correct config.json."
        )
    if wrong := [name for name in expected if shapes[name] != expected[name]]:
        shown = ", ".join(
            f"{name} is {list(shapes[name])} instead of {list(expected[name])}" for name in wrong[:_SHOWN]
        )
        raise Problem(
            f"{len(wrong)} tensors have another shape than config.json asks for ({shown}); correct config.json."
        )


def _experts_hint(shapes: Mapping[str, Shape], config: ModelConfig) -> str:
    """Both numbers, when the files simply hold another number of experts than the config says."""
    held = {int(match[1]) for name in shapes if (match := re.search(r"\.mlp\.experts\.(\d+)\.", name))}
    if config.router is None or not held or len(held) == config.router.experts:
        return ""
    return f"; the config says {config.router.experts} experts, the files hold {len(held)}"


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
