"""Cases 10, 11, 16, 19, 21, 22 and 24 for models in GGUF; the container's own are in `tests/model/checkpoint/gguf`."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFWriter

from model.checkpoint.folder import read_checkpoint
from model.problems import Problem
from tests.bad.make import is_one_sentence
from tests.model.checkpoint.gguf.convert import convert
from tests.model.checkpoint.gguf.hand import TEXT, Gguf, key, text, u32
from tests.model.checkpoint.sample import write_sample

ROPE = {"rope_type": "default", "rope_theta": 10_000.0}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sample(tmp_path_factory.mktemp("sound"), rope_parameters=ROPE)
    convert(folder, folder / "model.gguf")
    return folder / "model.gguf"


def rewritten(
    source: Path,
    target: Path,
    *,
    architecture: str = "deepseek2",
    without_key: str = "-",
    without_tensor: str = "-",
    numbers: dict[str, int] | None = None,
) -> None:
    """The same file with some keys or tensors left out or changed."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, architecture)
    for name, field in reader.fields.items():
        if name.startswith(("GGUF.", "general.architecture")) or name.endswith(without_key):
            continue
        value = (numbers or {}).get(name.rpartition(".")[2], field.contents())
        kind = field.types[0]
        writer.add_key_value(name, value, kind)
    for tensor in reader.tensors:
        if not tensor.name.endswith(without_tensor):
            writer.add_tensor(tensor.name, tensor.data.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cut(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:-100])


def part_of_three(source: Path, target: Path) -> None:
    keys = [key("general.architecture", TEXT, text("deepseek2")), key("split.count", 2, struct.pack("<H", 3))]
    (target.parent / "x-00001-of-00003.gguf").write_bytes(Gguf(keys).build())


Make = Callable[[Path, Path], object]


def changed(**numbers: int) -> Make:
    return lambda source, target: rewritten(source, target, numbers=numbers)


BAD: dict[str, tuple[Make, str]] = {
    "case 10: data cut off": (cut, "is cut off: it has"),
    "case 11: parts missing": (part_of_three, "lacks its parts x-00002-of-00003.gguf, x-00003-of-00003.gguf"),
    "case 16: a tensor missing": (
        lambda source, target: rewritten(source, target, without_tensor="blk.1.attn_norm.weight"),
        "model.layers.1.input_layernorm.weight",
    ),
    "case 16: a tensor of another shape": (changed(feed_forward_length=25), ""),
    "case 19: safetensors under its name": (
        lambda _, target: target.write_bytes((2).to_bytes(8, "little") + b"{}" + bytes(40)),
        "not a GGUF file",
    ),
    "case 21: no keys at all": (lambda _, target: target.write_bytes(Gguf().build()), "architecture"),
    "case 21: a key missing": (
        lambda source, target: rewritten(source, target, without_key=".block_count"),
        "block_count",
    ),
    "case 22: 0 layers": (changed(block_count=0), ""),
    "case 22: a billion layers": (changed(block_count=10**9), ""),
    "case 22: more experts than there are": (changed(expert_count=5), ""),
    "case 22: more experts chosen than there are": (changed(expert_used_count=9), ""),
    "case 22: no heads": (changed(head_count=0), ""),
    "case 22: a latent of no width": (changed(kv_lora_rank=0), ""),
    "case 24: another architecture": (
        lambda source, target: rewritten(source, target, architecture="llama"),
        "llama",
    ),
    "case 24: an architecture that is a number": (
        lambda _, target: target.write_bytes(Gguf([u32("general.architecture", 7)]).build()),
        "architecture",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_gguf_model_is_refused_with_its_cause(name: str, sound: Path, tmp_path: Path) -> None:
    make, phrase = BAD[name]
    make(sound, tmp_path / "model.gguf")
    (path,) = tmp_path.glob("*.gguf")
    began = time.thread_time()
    with pytest.raises(Problem) as refusal:
        read_checkpoint(path)
    assert time.thread_time() - began < 5
    assert phrase in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
    assert is_one_sentence(str(refusal.value))


def test_the_sample_is_sound_before_it_is_damaged_and_so_is_its_copy(sound: Path, tmp_path: Path) -> None:
    rewritten(sound, tmp_path / "copy.gguf")
    assert read_checkpoint(sound).config == read_checkpoint(tmp_path / "copy.gguf").config
