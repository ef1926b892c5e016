from pathlib import Path
from typing import Any

import pytest
import torch

from model.engine import serve, threads
from tests.parity.tiny import make_checkpoint


@pytest.fixture(scope="session")
def v2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A tiny checkpoint without a tokenizer, and transformers' model of it."""
    folder = tmp_path_factory.mktemp("v2")
    return folder, make_checkpoint(folder, "v2", eos_token_id=None)


@pytest.fixture(scope="session")
def tiny(v2: tuple[Path, Any]) -> str:
    return str(v2[0])


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny products gain nothing from a second core and wait for it when others use it."""
    monkeypatch.setattr(threads, "ALL", 1)
    monkeypatch.setattr(serve, "warm_up", lambda: None)  # a thread that outlives its test
    torch.set_num_threads(1)
