"""Long prompts: looked at while they are still being read, stopped, and opened again without their checkpoint."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.engine import generation, lens_answers
from model.engine.serve import serve
from model.engine.warm import draw_everything
from model.lens_messages import PictureShown, ShowPicture
from model.lenses import picture
from model.messages import Command, Event, Finished, Generate, Grown, OpenCheckpoint, OpenRecording, Started, Stop
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


def test_a_chunk_of_a_prompt_gives_way_many_times_a_layer(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "TURN_SECONDS", 0.0)
    looks = [0]

    class Counting(Script):
        def take(self, *, wait: bool) -> Command | None:
            looks[0] += 1
            return super().take(wait=wait)

    script = Counting(
        OpenCheckpoint(request=1, path=str(checkpoint)),
        Generate(request=2, token_ids=PROMPT[:1024], max_new_tokens=0),
    )
    at = {type(event): looks[0] for event in serve(script)}
    layers, blocks, experts = 3, 8, 8
    assert at[Grown] - at[Started] > layers * blocks + (layers - 1) * experts


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


def test_what_bf16_costs_is_measured_behind_the_first_picture(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "QUICK_PRODUCTS", 2**18)
    monkeypatch.setattr(picture, "STAGES", (64,))
    monkeypatch.setattr(picture, "TOLD_SECONDS", 0.0)  # it is measured in the middle of other rows
    monkeypatch.setattr(lens_answers, "arithmetic", lambda _device, exact: "float32" if exact else "bf16")

    def ask(event: Event, script: Script) -> None:
        if isinstance(event, Finished):
            # The second is one stage, since its rows are kept, and the third asks for no bf16.
            script.commands += [whole(3, TOKENS), whole(4, TOKENS, slot="b"), whole(5, TOKENS, exact=True, slot="c")]

    events = talk(
        OpenCheckpoint(request=1, path=str(checkpoint)),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=0),
        react=ask,
    )
    staged, kept, exact = ([shown.bf16_error for shown in answers(events, PictureShown, each)] for each in (3, 4, 5))
    assert staged[0] == 0.0 < staged[1] < 0.05
    assert len(staged) > 3
    assert kept[-1] > 0
    assert set(exact) == {0.0}
