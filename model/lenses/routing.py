"""Where tokens went: the router's choices of a run as matrices, totals and pairs. Torch-free, arrays only."""

import numpy as np
from numpy.typing import NDArray

from model.config import RouterConfig

Ids = NDArray[np.integer]
Floats = NDArray[np.float32]


def weight_matrix(expert_ids_TA: Ids, expert_weights_TA: Floats, *, experts: int) -> Floats:
    """What each expert's output was multiplied by for each token of one layer, [T, E]; 0 where not chosen."""
    matrix_TE = np.zeros((len(expert_ids_TA), experts), np.float32)
    np.put_along_axis(matrix_TE, expert_ids_TA.astype(np.intp), expert_weights_TA, axis=1)
    return matrix_TE


def counts(expert_ids_TMA: Ids, *, experts: int) -> NDArray[np.int64]:
    """How many tokens chose each expert, int64 [M, E]; counts of parts of a run may be added."""
    layers = expert_ids_TMA.shape[1]
    return np.bincount(_slots(expert_ids_TMA, experts), minlength=layers * experts).reshape(layers, experts)


def weight_sums(expert_ids_TMA: Ids, expert_weights_TMA: Floats, *, experts: int) -> NDArray[np.float64]:
    """Sum of each expert's weights over all tokens, float64 [M, E]; sums of parts of a run may be added."""
    layers = expert_ids_TMA.shape[1]
    sums = np.bincount(_slots(expert_ids_TMA, experts), expert_weights_TMA.reshape(-1), layers * experts)
    return sums.reshape(layers, experts).astype(np.float64)


def allowed_groups(
    scores_TE: Floats, router: RouterConfig, bias_E: NDArray[np.float32] | None = None
) -> NDArray[np.bool_]:
    """Which expert groups each token could choose from, bool [T, G]; every one without group limits.

    A group counts by its best expert (DeepSeek-V2 §2.2.2) or, for noaux_tc, by the sum of its two best with
    bias (DeepSeek-V3 §2.1.2); ties go to the lower group, as in the model.
    """
    tokens, groups = len(scores_TE), router.groups
    if router.method == "greedy" or groups == 1:
        return np.ones((tokens, groups), np.bool_)
    choice_TE = scores_TE if bias_E is None else scores_TE + bias_E
    sorted_TGE = np.sort(choice_TE.reshape(tokens, groups, -1), axis=2)
    rank_TG = sorted_TGE[..., -1] if router.method == "group_limited_greedy" else sorted_TGE[..., -2:].sum(axis=2)
    best_TG = np.argsort(-rank_TG, axis=1, kind="stable")[:, : router.groups_per_token]
    allowed_TG = np.zeros((tokens, groups), np.bool_)
    np.put_along_axis(allowed_TG, best_TG, True, axis=1)
    return allowed_TG


def coactivation(expert_ids_TA: Ids, *, experts: int) -> NDArray[np.int64]:
    """How many tokens of one layer chose both of two experts, int64 [E, E], symmetric; the diagonal holds counts."""
    per_token = expert_ids_TA.shape[1]
    first, second = np.repeat(expert_ids_TA, per_token, axis=1), np.tile(expert_ids_TA, (1, per_token))
    pairs = first.astype(np.int64).reshape(-1) * experts + second.reshape(-1)
    return np.bincount(pairs, minlength=experts * experts).reshape(experts, experts)


def _slots(expert_ids_TMA: Ids, experts: int) -> NDArray[np.int64]:
    """Every choice as one number, layer · experts + expert."""
    layer_M1 = np.arange(expert_ids_TMA.shape[1], dtype=np.int64)[:, None]
    slots: NDArray[np.int64] = (expert_ids_TMA.astype(np.int64) + layer_M1 * experts).reshape(-1)
    return slots
