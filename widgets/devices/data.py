"""What the devices view draws: the load of simulated devices, and which experts fire together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLoad:
    """Load of a run on simulated devices.

    `layers` names the rows; `device_load` [M, N] counts assignments; `traffic` int [N, N] counts tokens sent
    from a home device (row) to a device (column), once per device and layer; `max_violation` and
    `balancedness` are per layer [M]. The single numbers are over all layers.
    """

    layers: tuple[int, ...]
    device_load: NDArray[np.float64]
    traffic: NDArray[np.int64]
    max_violation: NDArray[np.float64]
    balancedness: NDArray[np.float64]
    total_max_violation: float
    total_balancedness: float
    cv: float
    gini: float
    entropy: float
    placement: str
    devices: int
    tokens: int


@dataclass(frozen=True, slots=True)
class TokenPath:
    """Where one token of one layer is sent: from its home device to the devices of its experts, in order."""

    token: int
    text: str
    home: int
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ExpertGraph:
    """One layer's `counts` [E], tokens per expert, and `together` [E, E], tokens for which two experts fired.

    The diagonal of `together` is not used. `expert_device` int [E] is the device of each expert.
    """

    layer: int
    counts: NDArray[np.int64]
    together: NDArray[np.int64]
    expert_device: NDArray[np.int64]
