"""DeepSeek-V2's three balance losses (arXiv 2405.04434 §2.2.3), without their alphas, and V3's alternative to them.

Each loss equals 1 when the load is perfectly even. Counts carry no gradient; the mean affinities do. They are taken
over all tokens of a micro-batch, not over one sequence: a French sequence may then go to French experts, as long as
others make up for it (the choice of `"seq_aux": false`; measured in arXiv 2501.11873).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Balance(NamedTuple):
    """Σ f_i P_i over experts, over devices, and over devices as receivers of tokens; scalars."""

    expert: Tensor
    device: Tensor
    communication: Tensor


def balance(scores_TE: Tensor, ids_TA: Tensor, *, devices: int, devices_per_token: int) -> Balance:
    """The losses of these tokens from their softmax affinities and chosen experts. Devices hold E / D experts each."""
    tokens, experts = scores_TE.shape
    chosen_TE = F.one_hot(ids_TA, experts).sum(dim=1)
    share_E = chosen_TE.sum(dim=0).to(scores_TE.dtype) * experts / (ids_TA.shape[1] * tokens)
    affinity_E = scores_TE.mean(dim=0)
    affinity_D = affinity_E.unflatten(0, (devices, -1)).sum(dim=1)
    reached_TD = chosen_TE.unflatten(1, (devices, -1)).any(dim=2)
    sent_D = reached_TD.sum(dim=0).to(scores_TE.dtype) * devices / (devices_per_token * tokens)
    return Balance(
        expert=share_E @ affinity_E,
        device=share_E.unflatten(0, (devices, -1)).mean(dim=1) @ affinity_D,
        communication=sent_D @ affinity_D,
    )


def corrected(bias_E: Tensor, load_E: Tensor, *, speed: float) -> Tensor:
    """The correction bias after a step: up by `speed` for experts below the mean load, down for those above.

    DeepSeek-V3 §2.1.2 (arXiv 2412.19437), no gradient involved.
    """
    return bias_E + speed * torch.sign(load_E.float().mean() - load_E)
