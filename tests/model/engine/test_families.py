"""Every family through the engine: opened, proved, run; and where a model is only dense up to a length, no further."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.messages import (
    AttentionShown,
    Event,
    Failed,
    Finished,
    Generate,
    Grown,
    OpenCheckpoint,
    ShowAttention,
    Started,
    Verified,
    Verify,
)
from tests.model.engine.talk import Script, answer, answers, talk
from tests.parity.families import Family, longrope
from tests.parity.tiny import make_checkpoint

FAMILIES: list[tuple[Family, dict[str, Any]]] = [
    ("glm4_moe_lite", {}),
    ("youtu", {}),
    ("axk1", {}),
    ("minicpm3", {"rope_parameters": longrope(64)}),
    ("minicpm3", {"rope_parameters": longrope(80)}),  # the decoded part of the proof crosses the original length
    ("mistral4", {}),
    ("mistral3", {}),
    ("longcat_flash", {}),
    ("deepseek_v32", {"index_topk": 60}),
    ("glm_moe_dsa", {}),
    ("kimi_k25", {}),
]
PROMPT = list(range(3, 33))


@pytest.mark.parametrize(("family", "overrides"), FAMILIES)
def test_the_proof_holds_and_greedy_tokens_are_those_of_transformers(
    tmp_path: Path, family: Family, overrides: dict[str, Any]
) -> None:
    oracle = make_checkpoint(tmp_path, family, eos_token_id=None, **overrides)
    events = talk(
        OpenCheckpoint(request=1, path=str(tmp_path)),
        Verify(request=2),
        Generate(request=3, token_ids=PROMPT, max_new_tokens=6),
    )
    assert answers(events, Failed, 1) == []
    proof = answer(events, Verified, 2)
    assert proof.passed
    assert proof.attention_max_abs <= 5e-6
    assert proof.tokens == min(96, overrides.get("index_topk", 96))
    with torch.inference_mode():
        ids = torch.tensor([PROMPT])
        every = torch.ones_like(ids)  # else a token of the prompt that is also the padding would be masked
        theirs = oracle.generate(ids, attention_mask=every, do_sample=False, max_new_tokens=6, eos_token_id=None)
    assert generated(events, 3) == theirs[0, len(PROMPT) :].tolist()


def generated(events: list[Event], request: int) -> list[int]:
    steps = [event.steps.chosen_ids.numpy() for event in answers(events, Grown, request)]
    return [int(token) for token in np.concatenate(steps) if token >= 0]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("indexed")
    make_checkpoint(folder, "deepseek_v32", index_topk=40, eos_token_id=None)
    return str(folder)


def test_a_prompt_longer_than_dense_attention_is_refused_before_it_runs(indexed: str) -> None:
    events = talk(
        OpenCheckpoint(request=1, path=indexed),
        Generate(request=2, token_ids=[5] * 41, max_new_tokens=3),
        Generate(request=3, token_ids=[5] * 40, max_new_tokens=0),
    )
    refusal = answer(events, Failed, 2).message
    assert "41 tokens" in refusal
    assert "beyond 40 tokens this model attends sparsely" in refusal
    assert answers(events, Started, 2) == []
    assert answer(events, Finished, 3).reason == "length"


def test_decoding_ends_where_attention_turns_sparse(indexed: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=indexed), Generate(request=2, token_ids=[5] * 36, max_new_tokens=100))
    finished = answer(events, Finished, 2)
    assert finished.reason == "length"
    assert "beyond 40 tokens this model attends sparsely" in finished.note
    assert len(generated(events, 2)) == 40 - 36 + 1  # the last is chosen, but cannot be fed


def test_a_longrope_run_shows_the_attention_that_was_computed_on_both_sides_of_the_original_length(
    tmp_path: Path,
) -> None:
    oracle = make_checkpoint(tmp_path, "minicpm3", eos_token_id=None, rope_parameters=longrope(34))
    everything = {"queries": (0, 38), "keys": (0, 38), "rows": 38, "columns": 38}

    def ask(event: Event, script: Script) -> None:
        if isinstance(event, Finished):
            script.commands.append(ShowAttention(request=3, run=event.run, layer=2, heads=[0, 3], **everything))

    run = Generate(request=2, token_ids=PROMPT, max_new_tokens=9)
    events = talk(OpenCheckpoint(request=1, path=str(tmp_path)), run, react=ask)
    with torch.inference_mode():
        theirs = oracle.generate(
            torch.tensor([PROMPT]),
            do_sample=False,
            max_new_tokens=9,
            eos_token_id=None,
            return_dict_in_generate=True,
            output_attentions=True,
        )
    shown = np.nan_to_num(answer(events, AttentionShown, 3).values.numpy())
    assert generated(events, 2) == theirs.sequences[0, 30:].tolist()
    for step, maps in enumerate(theirs.attentions):
        of_layer = maps[2][0, [0, 3]].numpy()
        rows = slice(0, 30) if step == 0 else slice(29 + step, 30 + step)
        assert np.abs(shown[:, rows, : of_layer.shape[2]] - of_layer).max() <= 5e-6
