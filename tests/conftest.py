"""What every test gets: no network, an offscreen Qt, and one theme."""

import os
import socket
import sys

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Tiny models are fastest on one thread, and threads that wait for one another suffer most beside other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program promises to make no network connection; tests hold it to that."""

    def refuse(_socket: socket.socket, address: object) -> None:
        raise AssertionError(f"a connection to {address} was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """Random weights and prompts are the same in every run: a test fails always or never."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
