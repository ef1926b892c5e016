"""Bad input: exit status 2, nothing on stdout, one sentence on stderr."""

from pathlib import Path

import pytest

from app.commands import conversation
from main import main
from tests.app.commands.threaded import ThreadedClient

RECORD = ["record", "--out", "unused", "--checkpoint", "unused"]
LOAD = ["data", "load", "unused", "--out", "unused.npz"]


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "EngineClient", ThreadedClient)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["fly"], "fly"),
        (["record", "--prompt", "x"], "--out"),
        ([*RECORD], "--prompt"),
        ([*RECORD, "--prompt", "x", "--token-ids", "1"], "--token-ids"),
        ([*RECORD, "--token-ids", "1,x"], "1,x"),
        ([*RECORD, "--token-ids", f"1,{2**70}"], "too large"),
        ([*RECORD, "--prompt", "x", "--max-new-tokens", str(2**70)], "too large"),
        ([*RECORD, "--prompt", "x", "--seed", str(-(2**70))], "too large"),
        ([*RECORD, "--prompt", "x", "--top-k", "1.5"], "1.5"),
        (["record", "--prompt", "x", "--out", ""], "empty"),
        (["data", "routing", "", "--out", "x.npz"], "empty"),
        ([*RECORD, "--prompt", "x", "--dtype", "int8"], "int8"),
        ([*RECORD, "--prompt", "x", "--temperature", "-1"], "-1"),
        ([*RECORD, "--prompt", "x", "--temperature", "nan"], "nan"),
        ([*RECORD, "--prompt", "x", "--top-p", "0"], "top-p"),
        ([*RECORD, "--prompt", "x", "--greedy", "--top-k", "3"], "--greedy"),
        ([*RECORD, "--prompt-file", "no such file"], "no such file"),
        ([*LOAD, "--placement", "eplb"], "eplb"),
        ([*LOAD, "--replicas", "2"], "--replicas"),
        ([*LOAD, "--nodes", "2"], "--nodes"),
        ([*LOAD, "--placement", "upside-down"], "upside-down"),
        ([*LOAD, "--devices", "0"], "0"),
        (["data", "latents", "unused", "--out", "x.npz"], "--layer"),
        (["data", "attention", "unused", "--layer", "0", "--out", "x.npz"], "--head"),
        (["data", "routing", "unused", "--out", "x.csv"], ".npz"),
        (["data", "attention", "unused", "--layer", "0", "--head", "0", "--keys", "1-2", "--out", "x.npz"], "1-2"),
        (["data", "attention", "unused", "--layer", str(2**70), "--head", "0", "--out", "x.npz"], "too large"),
        ([*LOAD, "--devices", str(2**70)], "too large"),
        ([*LOAD, "--keys", f"{2**70}:"], "too large"),
        (["render", "memory", "unused", "--size", "20000x20000", "--scale", "4", "--out", "x.png"], "too large"),
        (["render", "memory", "unused", "--size", "20000x100", "--scale", "2", "--out", "x.png"], "too large"),
        (["bench", "decode", "--tokens", "1"], "--tokens"),
        (["bench", "prefill", "--device", "cuda"], "--device"),
        (["bench", "attention", "--device", "cuda", "--plot", "x.svg"], "--plot"),
        (["--dtype", "int8"], "int8"),
        (["inspect", "unused", "--budget", "lots"], "lots"),
        (["verify", "unused", "--budget", "0"], "0"),
        (["--budget", "-1"], "-1"),
        ([*RECORD, "--prompt", "x", "--budget", "nan"], "nan"),
        ([*RECORD, "--prompt", "x", "--budget", "1e400"], "1e400"),
        ([*RECORD, "--prompt", "x", "--system", "be brief"], "--chat"),
        ([*RECORD, "--token-ids", "1,2", "--chat"], "--chat"),
        ([*RECORD, "--token-ids-file", "no such file", "--chat"], "--chat"),
        ([*RECORD, "--token-ids-file", "no such file"], "no such file"),
        ([*RECORD, "--token-ids-file", __file__], "word 1"),
    ],
)
def test_arguments_that_will_not_do(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_refused(arguments, word, capsys)


@pytest.mark.usefixtures("threaded")
def test_folders_that_are_not_what_they_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path)
    check_refused(["inspect", folder], "config.json", capsys)
    check_refused(["verify", folder], "config.json", capsys)
    check_refused(["record", "--checkpoint", folder, "--prompt", "x", "--out", "unused"], "config.json", capsys)
    check_refused(["data", "routing", folder, "--out", str(tmp_path / "x.npz")], "manifest.json", capsys)
    assert not list(tmp_path.iterdir())


def check_refused(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert word in printed.err
