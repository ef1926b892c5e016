"""Long prompts: looked at while they are still being read, stopped, and opened again without their checkpoint."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.engine.warm import draw_everything
from model.lens_messages import PictureShown, ShowPicture
from model.lenses import picture
from model.messages import Event, Finished, Generate, Grown, OpenCheckpoint, OpenRecording, Started, Stop
from tests.model.engine.talk import Script, answers, talk
from tests.parity.tiny import make_checkpoint

TOKENS = 1100
PROMPT = (np.arange(TOKENS) * 7 % 90).tolist()


def whole(request: int, tokens: int, **options: Any) -> ShowPicture:
    asked: dict[str, Any] = {"run": "run-1", "layer": 1, "heads": [2], "cell": (8, 8)} | options
    return ShowPicture(request=request, queries=(0, tokens), keys=(0, tokens), **asked)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "checkpoint"
    make_checkpoint(folder, "v2", eos_token_id=None, max_position_embeddings=4096)
    return folder


def test_a_prompt_is_looked_at_while_it_is_read(checkpoint: Path) -> None:
    draw_everything()  # kernels are there, as in an engine that has been up for some seconds
    fed: list[int] = []

    def ask(event: Event, script: Script) -> None:
        if isinstance(event, Grown) and len(event.tokens.texts):
            fed.append(event.tokens.first + len(event.tokens.texts))
            if len(fed) == 1:
                script.commands.append(whole(3, 256))

    events = talk(
        OpenCheckpoint(request=1, path=str(checkpoint)),
        Generate(request=2, token_ids=(PROMPT * 4)[:4000], max_new_tokens=0),
        react=ask,
    )
    kinds = [type(event) for event in events]
    assert fed[0] <= 1024
    assert fed[-1] == 4000
    assert kinds.index(PictureShown) < len(kinds) - 1 - kinds[::-1].index(Grown)  # before the prompt's last chunk


def test_a_stopped_prompt_can_be_looked_at(checkpoint: Path, tmp_path: Path) -> None:
    def stop(event: Event, script: Script) -> None:
        if isinstance(event, Grown) and len(event.tokens.texts) and not script.commands:
            script.commands.append(Stop(request=9, target=2))
        if isinstance(event, Finished) and event.reason == "stopped":
            script.commands.append(whole(3, 64))

    events = talk(
        OpenCheckpoint(request=1, path=str(checkpoint)),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=1, folder=str(tmp_path / "run")),
        react=stop,
    )
    finished = next(event for event in events if isinstance(event, Finished))
    assert finished.reason == "stopped"
    assert answers(events, PictureShown, 3)[-1].final


def test_a_run_opened_without_its_checkpoint_gives_the_same_pixels(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "QUICK_PRODUCTS", 2**18)
    mine, folder = tmp_path / "checkpoint", tmp_path / "run"
    shutil.copytree(checkpoint, mine)
    questions = [
        whole(10, 1101),
        whole(11, 1101, reduction="mean", slot="b"),
        whole(12, 1101, quantity="content", slot="c"),
    ]

    def ask(event: Event, script: Script) -> None:
        if isinstance(event, Finished):
            script.commands += questions

    live = talk(
        OpenCheckpoint(request=1, path=str(mine)),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=2, folder=str(folder), self_contained=True),
        react=ask,
    )
    shutil.rmtree(mine)
    later = talk(OpenRecording(request=2, folder=str(folder)), react=ask)
    assert next(event for event in later if isinstance(event, Started)).info.attention_available
    for number in (10, 11, 12):
        before, after = (
            [(shown.rows_done, shown.values.data) for shown in answers(heard, PictureShown, number)]
            for heard in (live, later)
        )
        assert 64 in dict(after)
        assert dict(before)[1101] == dict(after)[1101]
        assert dict(before)[64] == dict(after)[64]
