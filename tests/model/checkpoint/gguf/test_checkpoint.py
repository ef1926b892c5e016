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
from model.checkpoint.gguf.checkpoint import read_gguf
from model.checkpoint.loading import load
from model.config import DtypeName
from tests.model.checkpoint.gguf.convert import convert
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
    original, converted = read_checkpoint(tmp_path / "hf"), read_gguf(tmp_path / "x.gguf")
    assert converted.formats == {"float32": sum(stored.stored_bytes for stored in original.tensors.values())}
    for field in ("rope", "router", "rms_norm_eps", "moe_layers", "shared_experts", "q_lora_rank"):
        assert getattr(converted.config, field) == getattr(original.config, field)
    assert torch.equal(logits(original), logits(converted))


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K"])
def test_every_type_gives_the_logits_of_its_dequantised_weights(kind: str, split: bool, tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "hf", "v3", **WIDE)
    meant = convert(tmp_path / "hf", tmp_path / "x.gguf", kind=kind, split=split)
    shutil.copytree(tmp_path / "hf", tmp_path / "meant")
    save_file(meant, tmp_path / "meant" / "model.safetensors", metadata={"format": "pt"})
    converted, expected = read_gguf(tmp_path / "x.gguf"), read_checkpoint(tmp_path / "meant")
    for name, stored in converted.tensors.items():
        values = stored.values(torch.float32)
        assert torch.equal(values, torch.from_numpy(meant[name])), name
        out = torch.empty(1, *values.shape[1:])
        stored.fill(out, values.shape[0] - 1)
        assert torch.equal(out[0], values[-1]), name
    assert next(iter(converted.formats)) == {"F16": "float16", "BF16": "bfloat16"}.get(kind, kind)
    assert torch.equal(logits(converted, dtype="float32"), logits(expected, dtype="float32"))
