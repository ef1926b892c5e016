"""The device under test. Without one every test here is skipped.

LOUPE_REHEARSE=1 runs them on the CPU: nothing is learnt of CUDA, but plain mistakes of the tests come out.
"""

import os
from pathlib import Path

import pytest
import torch

from model.engine import serve
from model.network.cuda_decode import graph
from model.network.cuda_decode.static import side_by_side
from model.network.decoder import Decoder
from tests.cuda.checkpoints import MODELS, write_checkpoint

REHEARSE = os.environ.get("LOUPE_REHEARSE") == "1"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cuda)
            if not (torch.cuda.is_available() or REHEARSE):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device("cpu" if REHEARSE else "cuda:0")


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 is float32, no thread outlives its test, and in a rehearsal a graph is its operations again."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    monkeypatch.setattr(serve, "warm_up", lambda: None)
    monkeypatch.setattr("model.network.decoding.prepare", lambda dtype, device: None)  # the CPU's step is torch's too
    if REHEARSE:
        monkeypatch.setattr("model.network.decoding.graph_step_of", _rehearsed)


def _rehearsed(decoder: Decoder) -> graph.GraphStep | None:
    beside = side_by_side(decoder)
    return None if beside is None else graph.GraphStep(decoder, beside, capture=lambda run, device: run)


@pytest.fixture(scope="session", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint of each kind."""
    path = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(path, MODELS[request.param])
    return path


@pytest.fixture(scope="session")
def v3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tiny checkpoint with every part of DeepSeek-V3."""
    path = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(path, MODELS["v3"])
    return path
