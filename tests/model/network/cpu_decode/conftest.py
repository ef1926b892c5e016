"""The kernels, compiled once for all tests here."""

import pytest
import torch

from model.network.cpu_decode.step import compile_for


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        compile_for(dtype)
