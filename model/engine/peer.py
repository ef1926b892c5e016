"""transformers as the peer of the decoding benchmark. The program itself never runs on it.

It is imported by name, only when someone asks for the benchmark and only where it happens to be installed.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

Attention = Literal["sdpa", "eager"]


def load_peer(checkpoint: Path) -> Any | None:
    """transformers' model of a checkpoint in float32 on the CPU, or None where it is not installed."""
    if find_spec("transformers") is None:
        return None
    transformers = import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, local_files_only=True, trust_remote_code=False
    )
    return model.eval()


class PeerLane:
    """One greedy continuation by transformers, token by token."""

    def __init__(self, model: Any, prompt: list[int], *, attention: Attention, threads: int) -> None:
        self.threads = threads
        self.tokens: list[int] = []
        self._model = model
        self._attention = attention
        self._cache: Any = None
        self._feed(prompt)

    def step(self) -> None:
        """Feed the last token and choose the next."""
        self._feed(self.tokens[-1:])

    @torch.inference_mode()
    def _feed(self, ids: list[int]) -> None:
        if self._model.config._attn_implementation != self._attention:
            self._model.set_attn_implementation(self._attention)
        answer = self._model(torch.tensor([ids]), past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._cache = answer.past_key_values
        self.tokens.append(int(answer.logits[0, -1].argmax()))
