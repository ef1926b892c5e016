"""Tiny checkpoints written by transformers, with every weight that could be overlooked made to matter.

transformers' own initialisation is blind: biases 0 and norms 1 hide the code that forgets them.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.utils import logging

from tests.parity.families import BASE, FAMILY, Family, new_model, yarn

__all__ = ["BASE", "FAMILY", "Family", "make_checkpoint", "yarn"]

logging.disable_progress_bar()
logging.set_verbosity_error()  # tiny models have odd YaRN lengths, which it remarks upon


def make_checkpoint(
    folder: Path, family: Family, *, seed: int = 0, save: dict[str, Any] | None = None, **overrides: Any
) -> Any:
    """Write a tiny checkpoint and return transformers' model, float32, eager, in evaluation mode.

    `save` goes to `save_pretrained`, `overrides` into the config.
    """
    model: Any = new_model(family, overrides)
    model = model.to(torch.float32).eval()
    randomise(model, seed=seed)
    model.set_attn_implementation("eager")
    model.set_experts_implementation("eager")
    model.save_pretrained(folder, **(save or {}))
    return model


@torch.no_grad()
def randomise(model: nn.Module, *, seed: int) -> None:
    """Overwrite every weight: norms around 1, biases around 0, routers decided, all else of unit gain."""
    generator = torch.Generator().manual_seed(seed)
    named = [*model.named_parameters(), *model.named_buffers()]
    for name, tensor in named:
        if "inv_freq" in name or name.endswith("embed_scale"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if "norm" in name:
            tensor.copy_(1 + 0.2 * noise)
        elif "bias" in name:
            tensor.copy_(0.1 * noise)
        elif "embed_tokens" in name:
            tensor.copy_(noise)
        else:
            gain = 2.0 if "mlp.gate." in name or "mlp.router." in name else 1.0
            tensor.copy_(gain * noise / tensor.shape[-1] ** 0.5)
