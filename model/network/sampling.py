"""Choosing the next token from logits."""

import torch
from torch import Tensor

from model.config import Sampling

SMALLEST_TEMPERATURE = torch.finfo(torch.float32).tiny  # anything between 0 and this is 0 in float32


class Sampler:
    """Greedy, or temperature with top-k and top-p, from one seeded generator on the CPU.

    The draw happens on the CPU in float32, so the same seed and logits give the same token anywhere.
    """

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits_V: Tensor) -> int:
        """The next token's id. Raises ValueError when no token has a finite logit."""
        logits_V = logits_V.float().cpu()
        best, index = logits_V.max(dim=-1)
        if not torch.isfinite(best):
            raise ValueError("the model's logits are not finite, so no token can be chosen")
        if self.sampling.temperature == 0.0:
            return int(index)
        probabilities_V = self._probabilities(logits_V - best)
        return int(torch.multinomial(probabilities_V, 1, generator=self._generator))

    def _probabilities(self, logits_V: Tensor) -> Tensor:
        temperature = max(self.sampling.temperature, SMALLEST_TEMPERATURE)
        values_V, order_V = (logits_V / temperature).sort(descending=True, stable=True)
        if self.sampling.top_k:
            values_V[self.sampling.top_k :] = float("-inf")
        sorted_V = values_V.softmax(dim=-1)
        # The token that crosses top_p stays, so at least one token always does.
        sorted_V[sorted_V.cumsum(dim=-1) - sorted_V >= self.sampling.top_p] = 0.0
        return torch.zeros_like(sorted_V).scatter(0, order_V, sorted_V)
