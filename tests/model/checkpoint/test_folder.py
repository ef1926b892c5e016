"""Sound folders in all their layouts, described from headers alone."""

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint.families.table import parse_config
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.problems import Problem
from model.shapes import tensor_shapes
from model.tensorfile import write_tensors
from tests.model.checkpoint.sample import (
    CONFIG,
    Tensors,
    read_index,
    tensors_of,
    write_config,
    write_index,
    write_sample,
    write_sharded,
)


def fused(tensors: Tensors) -> Tensors:
    """All experts of a layer stacked, as newer writers store them."""
    plain = {name: x for name, x in tensors.items() if ".experts." not in name}
    prefix = "model.layers.1.mlp.experts"

    def stacked(part: str) -> np.ndarray:
        return np.stack([tensors[f"{prefix}.{expert}.{part}.weight"][1] for expert in range(4)])

    gate_up = np.concatenate([stacked("gate_proj"), stacked("up_proj")], axis=1)
    return plain | {f"{prefix}.gate_up_proj": ("F32", gate_up), f"{prefix}.down_proj": ("F32", stacked("down_proj"))}


def test_every_tensor_of_the_config_has_a_place(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_sample(tmp_path))
    assert checkpoint.tensors.keys() == tensor_shapes(checkpoint.config).keys()
    assert checkpoint.name == tmp_path.name
    assert checkpoint.dtype == "float32"
    assert checkpoint.file_bytes == (tmp_path / "model.safetensors").stat().st_size
    assert not checkpoint.has_tokenizer


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_main_file_stands_for_its_folder(tmp_path: Path, name: str) -> None:
    assert read_checkpoint(write_sample(tmp_path) / name).path == tmp_path


def test_other_paths_are_refused_with_advice(tmp_path: Path) -> None:
    (write_sample(tmp_path) / "notes.txt").touch()
    with pytest.raises(Problem, match="is a file; choose the folder"):
        read_checkpoint(tmp_path / "notes.txt")
    with pytest.raises(Problem, match="does not exist"):
        read_checkpoint(tmp_path / "nothing")
    with pytest.raises(Problem, match="does not exist"):
        read_checkpoint("a\0b")
    with pytest.raises(Problem, match="cannot be opened"):
        read_checkpoint("a" * 5000)
    with pytest.raises(Problem, match="no such user"):
        read_checkpoint("~nobody-of-that-name/model")


def test_the_index_decides_and_stray_files_are_not_looked_at(tmp_path: Path) -> None:
    write_sharded(tmp_path, names=("model-1-of-2.safetensors", "model-00002-of-000002.safetensors"))
    (tmp_path / "model-3-of-3.safetensors").write_bytes(b"stray")
    checkpoint = read_checkpoint(tmp_path / "model.safetensors.index.json")
    assert [file.name for file in checkpoint.files] == ["model-00002-of-000002.safetensors", "model-1-of-2.safetensors"]
    decoders = [load(x, device=torch.device("cpu")) for x in (checkpoint, read_checkpoint(write_sample(tmp_path)))]
    sharded, single = (decoder.step(torch.arange(9), decoder.new_cache()) for decoder in decoders)
    assert torch.allclose(sharded, single, atol=1e-4)


def test_fused_experts_are_found_one_by_one(tmp_path: Path) -> None:
    tensors = tensors_of()
    write_tensors(write_config(tmp_path) / "model.safetensors", fused(tensors))
    checkpoint = read_checkpoint(tmp_path)
    name = "model.layers.1.mlp.experts.2.up_proj.weight"
    assert checkpoint.tensors[name].stored_bytes == tensors[name][1].nbytes
    assert np.array_equal(checkpoint.tensors[name].values(torch.float32).numpy(), tensors[name][1])
    decoder = load(checkpoint, device=torch.device("cpu"))
    expert = decoder.weights.layers[1].moe.experts[2]  # type: ignore[union-attr]
    assert np.array_equal(expert.up.weight.numpy(), tensors[name][1])


def test_prediction_layers_and_rotary_buffers_are_skipped(tmp_path: Path) -> None:
    extra = {
        "model.layers.2.eh_proj.weight": ("F32", np.ones((16, 32), dtype=np.float32)),
        "model.layers.2.self_attn.o_proj.weight": ("F32", np.ones((3, 3), dtype=np.float32)),
        "model.layers.0.self_attn.rotary_emb.inv_freq": ("F32", np.ones(2, dtype=np.float32)),
        "something.else": ("F32", np.ones(2, dtype=np.float32)),
    }
    write_tensors(write_config(tmp_path) / "model.safetensors", tensors_of() | extra)
    notes = " ".join(read_checkpoint(tmp_path).notes)
    assert "2 tensors of layers from 2 on (multi-token prediction) are skipped" in notes
    assert "1 tensors that the config does not ask for are ignored: something.else" in notes


@pytest.mark.parametrize("stored", [True, False])
def test_a_tied_head_may_be_stored_or_not(tmp_path: Path, stored: bool) -> None:
    tensors = tensors_of(tie_word_embeddings=True)
    if stored:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    write_tensors(write_config(tmp_path, tie_word_embeddings=True) / "model.safetensors", tensors)
    checkpoint = read_checkpoint(tmp_path)
    assert "lm_head.weight" not in checkpoint.tensors
    decoder = load(checkpoint, device=torch.device("cpu"))
    assert decoder.weights.head.weight is decoder.weights.embedding_VD
    assert not any("does not ask for" in note for note in checkpoint.notes)


def test_generation_config_wins_over_config(tmp_path: Path) -> None:
    write_sample(tmp_path)
    assert read_checkpoint(tmp_path).config.eos_token_ids == (1,)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 6], "bos_token_id": None}))
    config = read_checkpoint(tmp_path).config
    assert config.eos_token_ids == (5, 6)
    assert config.bos_token_id == 0


def test_the_stored_dtype_counts_when_the_config_names_none(tmp_path: Path) -> None:
    half = {name: ("F16", x.astype(np.float16)) for name, (_, x) in tensors_of().items()}
    write_tensors(write_config(tmp_path, torch_dtype=None) / "model.safetensors", half)
    assert read_checkpoint(tmp_path).dtype == read_checkpoint(tmp_path).config.dtype == "float16"


def test_weights_that_are_no_floats_are_refused(tmp_path: Path) -> None:
    tensors = tensors_of()
    name = "model.layers.0.self_attn.o_proj.weight"
    tensors[name] = ("F8_E4M3", np.zeros(tensors[name][1].shape, dtype=np.uint8))
    write_tensors(write_config(tmp_path) / "model.safetensors", tensors)
    with pytest.raises(Problem, match=r"o_proj\.weight in .* is stored as F8_E4M3"):
        read_checkpoint(tmp_path)


def test_the_fingerprint_follows_config_and_headers(tmp_path: Path) -> None:
    first = read_checkpoint(write_sample(tmp_path)).fingerprint
    assert read_checkpoint(tmp_path).fingerprint == first
    write_config(tmp_path, rope_theta=10_001)
    second = read_checkpoint(tmp_path).fingerprint
    write_tensors(write_config(tmp_path) / "model.safetensors", tensors_of(), {"format": "np"})
    assert len({first, second, read_checkpoint(tmp_path).fingerprint}) == 3


def test_a_snapshot_of_the_hugging_face_cache_is_read_through_its_links(tmp_path: Path) -> None:
    entry = tmp_path / "models--deepseek-ai--tiny"
    snapshot, blobs = entry / "snapshots" / "abc", entry / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    write_sharded(snapshot)
    for number, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(blobs / f"{number}")
        path.symlink_to(Path("../../blobs") / f"{number}")
    assert read_checkpoint(snapshot).config.layers == 2
    stray = tmp_path / "stray.safetensors"
    (blobs / "1").rename(stray)
    (blobs / "1").symlink_to(stray)
    with pytest.raises(Problem, match="link out of its folder"):
        read_checkpoint(snapshot)


def test_describing_reads_no_weights_and_opens_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data may be a hole of a terabyte: only headers are read."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    big = {"vocab_size": 1_000_000, "hidden_size": 100_000, "num_attention_heads": 2, "tie_word_embeddings": True}
    write_config(tmp_path, **big, num_hidden_layers=1, auto_map={"AutoConfig": "evil--repo.Config"})
    header, end = {}, 0
    values = CONFIG | big | {"num_hidden_layers": 1}
    for name, shape in tensor_shapes(parse_config(values, tmp_path).config).items():
        start, end = end, end + 4 * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + end)
    assert read_checkpoint(tmp_path).file_bytes > 4e11


def test_the_index_may_leave_tensors_of_its_shards_unnamed(tmp_path: Path) -> None:
    weight_map = read_index(write_sharded(tmp_path))
    del weight_map["model.norm.weight"]
    write_index(tmp_path, weight_map)
    assert "model.norm.weight" in read_checkpoint(tmp_path).tensors
