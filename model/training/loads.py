"""How evenly experts and devices were loaded since the last look, layer by layer."""

from typing import Any

import torch
from torch import Tensor

from model.config import RouterConfig
from model.training.specialisation import max_violation


class Loads:
    """Sums of what the steps report; nothing leaves the device before it is asked for."""

    def __init__(self, router: RouterConfig) -> None:
        self._router = router
        self._sum_ME: Tensor | None = None

    def add(self, load_ME: Tensor) -> None:
        """Tokens of one step by MoE layer and expert."""
        self._sum_ME = load_ME if self._sum_ME is None else self._sum_ME + load_ME

    def taken(self) -> dict[str, Any]:
        """MaxVio per MoE layer of experts and of devices since the last call; empty without a step."""
        if self._sum_ME is None:
            return {}
        load_ME = self._sum_ME.to(torch.float64).cpu().numpy()
        self._sum_ME = None
        return {
            "expert_max_violation": [round(max_violation(load_E), 4) for load_E in load_ME],
            "device_max_violation": [
                round(max_violation(load_E.reshape(self._router.groups, -1).sum(axis=1)), 4) for load_E in load_ME
            ],
        }
