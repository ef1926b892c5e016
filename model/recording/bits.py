"""Between torch and numpy without copying: numpy has no bfloat16, so its bits go as uint16."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_array(values: Tensor) -> NDArray[Any]:
    """The same memory of the processor for numpy."""
    if values.dtype == torch.bfloat16:
        return values.view(torch.int16).numpy().view(np.uint16)
    return values.numpy()


def as_tensor(values: NDArray[np.generic]) -> Tensor:
    """The same memory for torch."""
    if values.dtype == np.uint16:
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(values)
