"""A.X-K1 as released: no correction bias, and a norm behind the experts that dense layers store and do not use."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from tests.parity.cases import CPU, TOKENS
from tests.parity.tiny import make_checkpoint


@torch.no_grad()
def test_without_a_stored_bias_and_with_a_norm_too_many_the_logits_are_those_of_transformers(tmp_path: Path) -> None:
    theirs = make_checkpoint(tmp_path, "axk1")
    for name, tensor in theirs.named_buffers():
        if name.endswith("e_score_correction_bias"):
            tensor.zero_()
    path = tmp_path / "model.safetensors"
    tensors = {name: tensor for name, tensor in load_file(path).items() if "e_score_correction_bias" not in name}
    tensors["model.layers.0.post_mlp_layernorm.weight"] = torch.full((64,), 3.0)
    save_file(tensors, path, metadata={"format": "pt"})
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.config.router is not None
    assert not checkpoint.config.router.biased
    assert any("post_mlp_layernorm" in note for note in checkpoint.notes)
    decoder = load(checkpoint, device=CPU)
    ids_T = torch.arange(TOKENS) * 11 % 257
    expected_TV = theirs(ids_T[None]).logits[0]
    logits_TV = decoder.step(ids_T, decoder.new_cache(), logits="all")
    assert (logits_TV - expected_TV).abs().max() <= 1e-4 * expected_TV.abs().max()
