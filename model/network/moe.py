"""Routing and experts: which experts a token goes to, with which weights, and what they answer.

Routers: `greedy` and `group_limited_greedy` (DeepSeek-V2 §2.2.2), `noaux_tc` (DeepSeek-V3 §2.1.2).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import RouterConfig
from model.network.pieces import Pieces, whole
from model.network.side_by_side import SideBySide
from model.network.weights import Experts, MoeWeights


class Routing(NamedTuple):
    """One layer's decision for T tokens.

    `scores_TE` are the scores before bias, mask and scaling; `ids_TA` the chosen experts, best first;
    `weights_TA` what their outputs are multiplied by; `margin_T` how far the last chosen expert was
    ahead of the first one left out, in the score that decided (inf when none was left to choose).
    """

    scores_TE: Tensor
    ids_TA: Tensor
    weights_TA: Tensor
    margin_T: Tensor


def route(x_TD: Tensor, weights: MoeWeights, router: RouterConfig) -> Routing:
    """Choose experts, in float32 unless the router asks otherwise. Ties go to the lowest expert index."""
    logits_dtype = x_TD.dtype if router.model_dtype_logits else torch.float32
    logits_TE = F.linear(x_TD.to(logits_dtype), weights.gate_ED.to(logits_dtype))
    scores_TE = (logits_TE.softmax(dim=-1) if router.scoring == "softmax" else logits_TE.sigmoid()).float()
    choice_TE = scores_TE if weights.bias_E is None else scores_TE + weights.bias_E
    if router.method != "greedy" and router.groups > 1:
        choice_TE = _within_best_groups(choice_TE, router)
    ranked_TE, order_TE = choice_TE.sort(dim=-1, descending=True, stable=True)
    chosen = router.experts_per_token
    ids_TA = order_TE[:, :chosen]
    margin_T = (
        ranked_TE[:, chosen - 1] - ranked_TE[:, chosen] if chosen < router.experts else ranked_TE[:, 0] + math.inf
    )
    weights_TA = scores_TE.gather(1, ids_TA)
    if router.normalise:
        weights_TA = weights_TA / (weights_TA.sum(dim=-1, keepdim=True) + 1e-20)
    if router.scaling_factor != 1.0:
        weights_TA = weights_TA * router.scaling_factor
    return Routing(scores_TE, ids_TA, weights_TA, margin_T)


def mix(x_TD: Tensor, routing: Routing, weights: MoeWeights) -> Tensor:
    """Weighted sum of the chosen experts plus the shared experts, [T, D]. No expert weight is copied."""
    return whole(mixing(x_TD, routing, weights))


def mixing(x_TD: Tensor, routing: Routing, weights: MoeWeights) -> Pieces[Tensor]:
    """The same, with a pause behind every expert of a prompt: it may have to come from a disk first."""
    out_TD = torch.zeros_like(x_TD) if weights.shared is None else weights.shared(x_TD)
    if len(x_TD) == 1:
        return _mix_one(x_TD, out_TD, routing, weights)
    per_token, stored = routing.ids_TA.shape[1], len(weights.experts)
    order_S = routing.ids_TA.flatten().argsort(stable=True)
    counts = routing.ids_TA.flatten().bincount(minlength=stored).tolist()
    share_S1 = routing.weights_TA.flatten()[order_S, None].to(x_TD.dtype)
    # Added expert by expert: what all of them answer never lies in memory at once.
    for expert, (token, share) in enumerate(
        zip((order_S // per_token).split(counts), share_S1.split(counts), strict=True)
    ):
        if len(token):
            out_TD = out_TD.index_add_(0, token, _answer(weights.experts, expert, x_TD[token]) * share)
            yield
    return out_TD


def _mix_one(x_TD: Tensor, out_TD: Tensor, routing: Routing, weights: MoeWeights) -> Tensor:
    """The decode step. All experts are asked for before the first is used: those not at hand are then on their way."""
    experts = weights.experts
    if isinstance(experts, SideBySide):
        return out_TD + experts.mixed(x_TD, routing.ids_TA, routing.weights_TA)
    chosen = [experts[expert] if expert < len(experts) else None for expert in routing.ids_TA[0].tolist()]
    for expert, weight in zip(chosen, routing.weights_TA[0].tolist(), strict=True):
        out_TD = torch.add(out_TD, x_TD if expert is None else expert(x_TD), alpha=weight)
    return out_TD


def _answer(experts: Experts, expert: int, x_TD: Tensor) -> Tensor:
    """One expert's output; those behind the stored ones are zero experts, which give back what they get."""
    return experts[expert](x_TD) if expert < len(experts) else x_TD


def _within_best_groups(choice_TE: Tensor, router: RouterConfig) -> Tensor:
    """Rule out the experts of all but the best groups. −inf, not 0: a bias may make every score negative.

    A group counts by its best expert (V2), or by the sum of its two best (V3, Mistral 4).
    """
    grouped_TGE: Tensor = choice_TE.unflatten(1, (router.groups, -1))
    if router.method != "group_limited_greedy":
        group_TG = grouped_TGE.topk(2, dim=-1).values.sum(dim=-1)
    else:
        group_TG = grouped_TGE.amax(dim=-1)
    best_TG = group_TG.argsort(dim=-1, descending=True, stable=True)[:, : router.groups_per_token]
    ruled_out_TG = torch.ones_like(group_TG, dtype=torch.bool).scatter(1, best_TG, False)
    return grouped_TGE.masked_fill(ruled_out_TG.unsqueeze(-1), float("-inf")).flatten(1)
