"""How evenly work falls on experts and on simulated devices: loads, traffic, imbalance numbers. Torch-free.

The numbers are those of the literature: MaxVio (arXiv 2408.15664), balancedness as serving systems log it
(mean over maximum), coefficient of variation, Gini, entropy. NaN says that there was no load at all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.placement import Placement

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What some tokens of a run cost. Loads of different tokens add up with `+`.

    expert_load [M, E] and device_load [M, N] count choices of experts; received [M, N] counts tokens that
    reach a device, once however many of its experts they use; traffic [N, N] counts tokens sent from a
    home device to a device, once per device and layer, summed over layers.
    """

    tokens: int
    expert_load: Counts
    device_load: Counts
    received: Counts
    traffic: Counts

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.tokens + other.tokens,
            self.expert_load + other.expert_load,
            self.device_load + other.device_load,
            self.received + other.received,
            self.traffic + other.traffic,
        )


def expert_to_device(placement: Placement) -> Counts:
    """The device of each expert, int64 [M, E]. Raises ValueError for a placement with replicas."""
    layers, slots = placement.slot_to_expert.shape
    if (
        slots != np.unique(placement.slot_to_expert, axis=1).shape[1]
        or slots != placement.slot_to_expert.max(initial=-1) + 1
    ):
        raise ValueError("this placement has replicas, and which of them serves a token is not decided here")
    device_ME = np.empty((layers, slots), np.int64)
    np.put_along_axis(device_ME, placement.slot_to_expert, placement.slot_to_device, axis=1)
    return device_ME


def count(expert_ids_TMA: NDArray[np.integer], placement: Placement, *, first_token: int = 0) -> Load:
    """The load of tokens first_token … first_token + T − 1. A token's home device is its position mod N.

    An id that the placement has no expert for is a zero expert: it lives on no device and costs nothing.
    """
    devices, (tokens, layers, _) = placement.devices, expert_ids_TMA.shape
    held_ME = expert_to_device(placement)
    # All zero experts count as one more expert, on one more device, which are cut off in the end.
    device_ME = np.pad(held_ME, ((0, 0), (0, 1)), constant_values=devices)
    experts = held_ME.shape[1]
    ids_TMA = np.minimum(expert_ids_TMA.astype(np.int64), experts)
    layer_M1 = np.arange(layers)[:, None]
    device_TMA = device_ME[layer_M1, ids_TMA]
    expert_load_ME = _counts(ids_TMA + layer_M1 * (experts + 1), layers, experts + 1)
    device_load_MN = _counts(device_TMA + layer_M1 * (devices + 1), layers, devices + 1)
    reached_TMN = np.zeros((tokens, layers, devices + 1), np.bool_)
    np.put_along_axis(reached_TMN, device_TMA, True, axis=2)
    reached_TMN = reached_TMN[..., :devices]
    traffic_NN = np.zeros((devices, devices), np.int64)
    np.add.at(traffic_NN, (first_token + np.arange(tokens)) % devices, reached_TMN.sum(axis=1, dtype=np.int64))
    return Load(
        tokens,
        expert_load_ME,
        device_load_MN,
        reached_TMN.sum(axis=0, dtype=np.int64),
        traffic_NN,
    )


def _counts(slots: Counts, layers: int, columns: int) -> Counts:
    """How often each slot, layer · columns + column, occurs, [layers, columns − 1]: the last column is cut off."""
    return np.bincount(slots.reshape(-1), minlength=layers * columns).reshape(layers, columns)[:, :-1]


def max_violation(load_MX: Counts) -> Floats:
    """MaxVio of each layer, [M]: maximum over mean, minus 1; 0 is perfect balance."""
    return _ratio(load_MX.max(axis=-1), load_MX.mean(axis=-1)) - 1


def balancedness(load_MX: Counts) -> Floats:
    """Mean over maximum of each layer, [M]; 1 is perfect balance."""
    return _ratio(load_MX.mean(axis=-1), load_MX.max(axis=-1))


def model_balancedness(load_MX: Counts) -> float:
    """The whole model's: the sum of the layers' means over the sum of their maxima, not a mean of ratios."""
    return float(_ratio(load_MX.mean(axis=-1).sum(), load_MX.max(axis=-1).sum()))


def variation(load_MX: Counts) -> Floats:
    """Coefficient of variation of each layer, [M]: population standard deviation over mean."""
    return _ratio(load_MX.std(axis=-1), load_MX.mean(axis=-1))


def gini(load_MX: Counts) -> Floats:
    """Gini coefficient of each layer, [M]: 0 is perfect balance, 1 − 1/n is all on one."""
    ordered_MX = np.sort(load_MX, axis=-1)
    width = load_MX.shape[-1]
    rank_X = 2 * np.arange(1, width + 1) - width - 1
    return _ratio((ordered_MX * rank_X).sum(axis=-1), width * load_MX.sum(axis=-1))


def normalised_entropy(load_MX: Counts) -> Floats:
    """Entropy of each layer's shares over ln n, [M]; 1 is perfect balance, and so is a single expert or device."""
    width = load_MX.shape[-1]
    share_MX = _ratio(load_MX, load_MX.sum(axis=-1, keepdims=True))
    terms_MX = share_MX * np.log(np.where(share_MX > 0, share_MX, 1.0))
    entropy_M: Floats = -terms_MX.sum(axis=-1) / np.log(width) if width > 1 else share_MX[..., 0]
    return entropy_M


def _ratio(top: NDArray[np.generic] | np.generic, bottom: NDArray[np.generic] | np.generic) -> Floats:
    """top / bottom as float64, NaN where both are zero."""
    with np.errstate(invalid="ignore"):
        return np.true_divide(top, bottom, dtype=np.float64)
