"""Where experts live: which expert sits in which slot of which device. Torch-free.

The devices are simulated: a placement is a statement about where experts would be.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PlacementName = Literal["contiguous", "round-robin"]
DEFAULT_DEVICES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Slots of one MoE model on `devices` devices.

    Both arrays have shape [M, slots]: `slot_to_expert` the expert in a slot, `slot_to_device` the
    device that holds the slot. Without replicas there are as many slots as experts.
    """

    name: PlacementName
    devices: int
    slot_to_expert: NDArray[np.int64]
    slot_to_device: NDArray[np.int64]


def default_devices(groups: int) -> int:
    """The model's own device groups, or eight when it has only one group."""
    return groups if groups > 1 else DEFAULT_DEVICES


def place(name: PlacementName, *, layers: int, experts: int, devices: int) -> Placement:
    """Put `experts` experts of `layers` MoE layers on `devices` devices, the same way in every layer.

    `contiguous` splits them like `numpy.array_split`, `round-robin` deals them out like cards.
    Raises ValueError when there is no device, or more devices than experts.
    """
    if not 1 <= devices <= experts:
        raise ValueError(f"{devices} devices for {experts} experts: choose between 1 and {experts} devices")
    order = np.arange(experts)
    if name == "contiguous":
        sizes = [len(part) for part in np.array_split(order, devices)]
        device = np.repeat(np.arange(devices), sizes)
    else:
        device = order % devices
    return Placement(name, devices, np.tile(order, (layers, 1)), np.tile(device, (layers, 1)))
