"""GGUF checkpoints give the very numbers of the safetensors they were made from, or of their dequantised weights."""

import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.checkpoint.mapped import MappedFile
from model.config import DtypeName
from model.problems import Problem
from tests.model.checkpoint.gguf.convert import Change, convert, rewritten
from tests.parity.tiny import Family, make_checkpoint, yarn

CPU = torch.device("cpu")
# Block types want rows of multiples of 256: every width that is a row length is one.
WIDE = {
    "hidden_size": 256,
    "intermediate_size": 256,
    "moe_intermediate_size": 256,
    "kv_lora_rank": 256,
    "q_lora_rank": 256,
    "qk_nope_head_dim": 256,
    "qk_rope_head_dim": 8,
    "v_head_dim": 256,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 2,
}
V2_YARN = {"rope_parameters": yarn(mscale=0.707, mscale_all_dim=0.707)}
EXACT: dict[str, tuple[Family, dict[str, Any], dict[str, Any]]] = {
    "V2-Lite, joint kv_b": ("v2", {"q_lora_rank": None, **V2_YARN}, {"split": False}),
    "V2-Lite, split kv_b": ("v2", {"q_lora_rank": None, **V2_YARN}, {"split": True}),
    "V2 with groups": (
        "v2",
        {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2, "routed_scaling_factor": 16.0},
        {},
    ),
    "V3, joint kv_b": ("v3", {"rope_parameters": yarn(mscale=1.0, mscale_all_dim=1.0)}, {"split": False}),
    "V3, split kv_b": ("v3", {"rope_parameters": yarn(mscale=1.0, mscale_all_dim=1.0)}, {"split": True}),
    "V3, gate and up in one": ("v3", {}, {"merged": True}),
    "Moonlight": (
        "v3",
        {"q_lora_rank": None, "routed_scaling_factor": 2.446, "n_shared_experts": 2, "rms_norm_eps": 1e-5},
        {},
    ),
    "tied, theta 5e4": ("v3", {"tie_word_embeddings": True, "rope_parameters": yarn(4.0, rope_theta=5e4)}, {}),
}  # fmt: skip


@torch.no_grad()
def logits(checkpoint: Checkpoint, dtype: DtypeName | Literal["auto"] = "auto") -> Tensor:
    decoder = load(checkpoint, dtype=dtype, device=CPU)
    ids_T = torch.arange(0, 240, 5)
    return decoder.step(ids_T, decoder.new_cache(), logits="all")


@pytest.mark.parametrize("name", EXACT)
def test_float32_gives_the_logits_of_the_safetensors(name: str, tmp_path: Path) -> None:
    family, overrides, options = EXACT[name]
    make_checkpoint(tmp_path / "hf", family, **overrides)
    convert(tmp_path / "hf", tmp_path / "x.gguf", **options)
    original, converted = read_checkpoint(tmp_path / "hf"), read_checkpoint(tmp_path / "x.gguf")
    assert converted.formats == {"float32": sum(stored.stored_bytes for stored in original.tensors.values())}
    for field in ("rope", "router", "rms_norm_eps", "moe_layers", "shared_experts", "q_lora_rank"):
        assert getattr(converted.config, field) == getattr(original.config, field)
    assert torch.equal(logits(original), logits(converted))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide")
    make_checkpoint(folder, "v3", **WIDE)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    make_checkpoint(folder, "v3", num_hidden_layers=2)
    return folder


@pytest.mark.parametrize(
    ("kind", "split"),
    [*((kind, True) for kind in ("F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K")), ("Q8_0", False)],
)
def test_every_type_gives_the_logits_of_its_dequantised_weights(
    kind: str, split: bool, wide: Path, tmp_path: Path
) -> None:
    meant = convert(wide, tmp_path / "x.gguf", kind=kind, split=split)
    shutil.copytree(wide, tmp_path / "meant")
    save_file(meant, tmp_path / "meant" / "model.safetensors", metadata={"format": "pt"})
    converted, expected = read_checkpoint(tmp_path / "x.gguf"), read_checkpoint(tmp_path / "meant")
    for name, stored in converted.tensors.items():
        values = stored.values(torch.float32)
        assert torch.equal(values, torch.from_numpy(meant[name])), name
        first = values.shape[0] // 2 + 1 if values.shape[0] > 2 else 0
        out = torch.empty(values.shape[0] - first, *values.shape[1:])
        stored.fill(out, first)
        assert torch.equal(out, values[first:]), name
    assert next(iter(converted.formats)) == {"F16": "float16", "BF16": "bfloat16"}.get(kind, kind)
    assert converted.dtype == ("float16" if kind == "F16" else "bfloat16")
    assert torch.equal(logits(converted, dtype="float32"), logits(expected, dtype="float32"))


def test_one_expert_is_read_without_the_others(wide: Path, tmp_path: Path) -> None:
    convert(wide, tmp_path / "x.gguf", kind="Q8_0")
    checkpoint = read_checkpoint(tmp_path / "x.gguf")
    stored = checkpoint.tensors["model.layers.1.mlp.experts.2.up_proj.weight"]
    assert stored.stored_bytes == 256 * 256 // 32 * 34
    with pytest.MonkeyPatch.context() as patch:
        asked: list[int] = []
        whole = MappedFile.bytes
        patch.setattr(
            MappedFile, "bytes", lambda self, start, end: asked.append(end - start) or whole(self, start, end)
        )
        stored.values(torch.float32)
    assert asked == [stored.stored_bytes]


def test_a_file_in_parts_is_the_same_model_whichever_part_is_named(small: Path, tmp_path: Path) -> None:
    convert(small, tmp_path / "x.gguf")
    convert(small, tmp_path / "p.gguf", parts=3)
    names = [f"p-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    assert sorted(path.name for path in tmp_path.glob("p-*")) == names
    expected = logits(read_checkpoint(tmp_path / "x.gguf"))
    for name in names:
        checkpoint = read_checkpoint(tmp_path / name)
        assert checkpoint.name == "p"
        assert [path.name for path in checkpoint.files] == names
        assert torch.equal(logits(checkpoint), expected)
    (tmp_path / names[1]).unlink()
    with pytest.raises(Problem, match=r"lacks its parts p-00002-of-00003\.gguf"):
        read_checkpoint(tmp_path / names[0])


def test_a_file_that_changes_after_it_was_described_is_refused(small: Path, tmp_path: Path) -> None:
    convert(small, tmp_path / "x.gguf")
    checkpoint = read_checkpoint(tmp_path / "x.gguf")
    content = bytearray((tmp_path / "x.gguf").read_bytes())
    content[40] ^= 1
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(Problem, match="has changed since it was described"):
        load(checkpoint, device=CPU)


def test_what_older_files_do_not_say_is_told(small: Path, tmp_path: Path) -> None:
    convert(small, tmp_path / "x.gguf", groups=False, scoring=False)
    checkpoint = read_checkpoint(tmp_path / "x.gguf")
    assert checkpoint.config.router is not None
    assert (checkpoint.config.router.groups, checkpoint.config.router.scoring) == (1, "sigmoid")
    text = " ".join(checkpoint.notes)
    assert "names no expert groups" in text
    assert "sigmoid, since its routers have a bias" in text
    assert "no tokenizer in the file" in text
    assert not checkpoint.has_tokenizer


def test_a_folder_of_gguf_files_says_which_to_open(tmp_path: Path) -> None:
    (tmp_path / "b.gguf").touch()
    with pytest.raises(Problem, match=r"has no config.json but 'b.gguf'; open that file."):
        read_checkpoint(tmp_path)


def without(*names: str) -> Change:
    return lambda name, values: None if name in names else values


def renamed(old: str, new: str) -> Change:
    return lambda name, values: (new, values) if name == old else values


def cut(old: str) -> Change:
    return lambda name, values: values[..., :8].copy() if name == old else values


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another architecture": ({"architecture": "llama"}, "the architecture 'llama'; of GGUF only deepseek2"),
    "a type that is not read": ({"as_kind": "Q5_1"}, "as Q5_1, which is not read; get a file with F32"),
    "no embedding": ({"change": without("token_embd.weight")}, "no token_embd.weight"),
    "a tensor missing": ({"change": without("blk.1.attn_q_a.weight")}, "model.layers.1.self_attn.q_a_proj.weight"),
    "one half of kv_b missing": ({"change": without("blk.1.attn_v_b.weight")}, "layers.1.self_attn.kv_b_proj.weight"),
    "experts missing": ({"change": without("blk.1.ffn_up_exps.weight")}, "lacks 8 of"),
    "another width": ({"change": cut("blk.0.attn_q_a.weight")}, "is [24, 8] instead of [24, 64]"),
    "halves of another width": ({"change": cut("blk.0.attn_k_b.weight")}, "layers.0.self_attn.kv_b_proj.weight"),
    "a bias under two names": (
        {"change": renamed("blk.1.attn_norm.weight", "blk.1.exp_probs_b")}, "a second time under another name"
    ),
    "more experts than the keys say": ({"keys": {"expert_count": 16}}, "has 8 experts in blk.1.ffn_"),
    "no heads": ({"keys": {"attention.head_count": 0}}, "num_attention_heads = 0"),
    "heads as text": ({"keys": {"attention.head_count": "4"}}, "has '4' for deepseek2.attention.head_count"),
    "a billion layers": ({"keys": {"block_count": 10**9}}, "num_hidden_layers"),
    "a rotary part wider than the key": ({"keys": {"attention.key_length_mla": 4}}, "qk_nope_head_dim = -4"),
    "an unknown way of scoring": ({"keys": {"expert_gating_func": 7}}, "must be 1 (softmax) or 2 (sigmoid)"),
    "RoPE of another kind": (
        {"keys": {"rope.scaling.type": "longrope", "rope.scaling.factor": 4.0}}, "must be none or yarn"
    ),
    "2,001 parts": ({"top": {"split.count": 2_001}}, "split.count = 2001"),
    "parts without their names": ({"top": {"split.count": 2}}, "not named NAME-00001-of-00002.gguf"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_model_is_refused_with_its_cause(name: str, small: Path, tmp_path: Path) -> None:
    options, phrase = BAD[name]
    path = rewritten(small, tmp_path / "x.gguf", **options)
    with pytest.raises(Problem) as refusal:
        read_checkpoint(path)
    sentence = str(refusal.value)
    assert phrase in sentence
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 1000
