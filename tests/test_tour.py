"""Every claim of the shipped tour holds for the shipped weights: run by the engine, read through the lenses.

The tour was measured by `model.training.inside`, in the plain form; here the same prompts go the way a person's
prompt goes, and attention is rebuilt from the recorded latents.
"""

import hashlib
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.bundled import BUNDLED, RESOURCES, TOUR
from app.chrome import read_samples
from app.tour_words import sentence, title, view_of
from model.config import ModelConfig
from model.engine import threads
from model.expert_profile import read_profile
from model.kv_bytes import kv_bytes_per_token
from model.lenses import balance
from model.messages import AttentionShown, Event, Generate, Grown, OpenCheckpoint, ShowAttention, Started
from model.tour import Stop, read_tour
from tests.model.engine.talk import Script, talk

STOPS = read_tour(TOUR).stops
BY_HEAD = [stop for stop in STOPS if stop.head is not None]
CLOSE = 0.002  # figures are rounded to four digits, and two ways of computing differ by rounding
CLOSING = {")": "(", "]": "[", "}": "{", ">": "<"}


class Told(NamedTuple):
    """What the engine told of one prompt: token texts, experts [T, M, A], bits [T], and one head's rows."""

    config: ModelConfig
    texts: list[str]
    experts_TMA: NDArray[np.int16]
    bits_T: NDArray[np.float64]
    rows: list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    """All stops in one engine: a run each, then the rows of its head."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "ALL", 1)
        torch.set_num_threads(1)
        runs = [Generate(request=10 + at, prompt=stop.prompt, max_new_tokens=0) for at, stop in enumerate(STOPS)]

        def ask(event: Event, script: Script) -> None:
            if isinstance(event, Grown) and STOPS[event.request - 10].head is not None:
                stop, all_of_it = STOPS[event.request - 10], (0, len(event.tokens.texts))
                at = {"run": event.run, "layer": stop.layer, "heads": [stop.head]}
                cells = {"queries": all_of_it, "keys": all_of_it, "rows": all_of_it[1], "columns": all_of_it[1]}
                script.commands.append(ShowAttention(request=1000 + event.request, **at, **cells))

        events = talk(OpenCheckpoint(request=1, path=str(BUNDLED), dtype="float32"), *runs, react=ask)
    return {stop.prompt + stop.kind: _told(events, 10 + at) for at, stop in enumerate(STOPS)}


def _told(events: list[Event], request: int) -> Told:
    started = next(event for event in events if isinstance(event, Started) and event.request == request)
    grown = next(event for event in events if isinstance(event, Grown) and event.request == request)
    maps = [event for event in events if isinstance(event, AttentionShown) and event.request == 1000 + request]
    assert all(shown.cell == (1, 1) for shown in maps)
    return Told(
        started.info.config,
        grown.tokens.texts,
        grown.tokens.expert_ids.numpy(),
        -grown.tokens.log_probability.numpy().astype(np.float64) / np.log(2),
        list(maps[0].values.numpy()[0]) if maps else [],
    )


def of(told: dict[str, Told], stop: Stop) -> Told:
    return told[stop.prompt + stop.kind]


def only(kind: str) -> Stop:
    found = [stop for stop in STOPS if stop.kind == kind]
    if not found:
        pytest.skip(f"these weights have no {kind} worth a stop")
    return found[0]


def test_the_tour_was_measured_on_the_shipped_weights():
    weights = (BUNDLED / "model.safetensors").read_bytes()
    assert read_tour(TOUR).weights == hashlib.sha256(weights).hexdigest(), "make the tour again: `make tour`"


def test_it_has_six_to_ten_stops_each_with_a_sentence_of_its_own():
    assert 6 <= len(STOPS) <= 10
    sentences = [sentence(stop) for stop in STOPS]
    assert len(set(sentences)) == len(STOPS)
    for stop, told_there in zip(STOPS, sentences, strict=True):
        assert told_there.endswith(".")
        assert "{" not in told_there.replace("{bridge", "")
        assert len(told_there) <= 260
        assert title(stop)
        assert view_of(stop) in ("attention", "routing", "load", "memory")


def test_what_it_selects_is_there(told):
    for stop in STOPS:
        config, texts = of(told, stop).config, of(told, stop).texts
        assert stop.layer < config.layers
        assert stop.head is None or stop.head < config.heads
        assert stop.expert is None or stop.expert < config.router.experts
        assert stop.token is None or stop.token < len(texts)


def test_the_head_before_gives_its_weight_to_the_token_before(told):
    stop = only("previous")
    rows = of(told, stop).rows
    share = np.mean([row[query - 1] for query, row in enumerate(rows) if query >= 2])
    assert share == pytest.approx(stop.figures["share"], abs=CLOSE)
    assert share >= 0.25


def test_the_resting_head_stays_on_the_first_token(told):
    stop = only("sink")
    share = np.mean([row[0] for row in of(told, stop).rows[1:]])
    if stop.words:
        assert (stop.layer, stop.head) == (only(stop.words["also"]).layer, only(stop.words["also"]).head)
    assert share == pytest.approx(stop.figures["share"], abs=CLOSE)
    assert share >= 0.4


def test_the_induction_head_looks_at_what_came_next_in_the_earlier_copy(told):
    stop = only("induction")
    found = of(told, stop)
    count = (len(found.texts) - 1) // 2  # words, each a token; one more token begins the text
    first, second = found.texts[1 : count + 1], found.texts[count + 1 :]
    assert [text.strip() for text in first] == [text.strip() for text in second]
    start = count + 1
    # The first word has no space before it and the second time it has: another token, so the copy begins behind it.
    share = np.mean([found.rows[start + place][place + 2] for place in range(2, count)])
    assert share == pytest.approx(stop.figures["share"], abs=CLOSE)
    assert found.bits_T[1:start].mean() == pytest.approx(stop.figures["first"], abs=0.02)
    assert found.bits_T[start:].mean() == pytest.approx(stop.figures["second"], abs=0.02)
    assert stop.figures["second"] < stop.figures["first"] - 1


def test_closing_brackets_look_at_their_openers(told):
    stop = only("brackets")
    found = of(told, stop)
    pairs, open_ones = set(), []
    for token, text in enumerate(found.texts[1:], start=1):
        for letter in text:
            if letter in CLOSING.values():
                open_ones.append(token)
            elif letter in CLOSING and open_ones[-1] != token:
                pairs.add((token, open_ones.pop()))
    by_closer = {closer: sum(found.rows[closer][opener] for at, opener in pairs if at == closer) for closer, _ in pairs}
    assert np.mean(list(by_closer.values())) == pytest.approx(stop.figures["share"], abs=CLOSE)
    assert stop.figures["share"] >= 3 * stop.figures["even"]


def test_the_recalling_head_looks_at_the_value(told):
    stop = only("recall")
    found = of(told, stop)
    lines = "".join(found.texts[1:]).split("\n")
    values = dict(line.split(" = ") for line in lines if " = " in line)
    assert values[stop.words["key"]] == stop.words["answer"]
    assert lines[-1] == f"{stop.words['key']} ? "
    # Where each line's tokens are, counted through the texts.
    ends = np.cumsum([0, *map(len, found.texts[1:])])
    text = "".join(found.texts[1:])
    shares = []
    for line_start, line in zip(np.cumsum([0, *(len(line) + 1 for line in lines)]), lines, strict=False):
        key, asked, _ = line.partition(" ? ")
        if asked:
            query = int(np.searchsorted(ends, line_start + len(key) + 2, side="right"))
            told_at = text.index(f"{key} = ") + len(key) + 3
            within = [at + 1 for at in range(len(ends) - 1) if told_at <= ends[at] < told_at + len(values[key])]
            shares.append(found.rows[query][within].sum())
    assert np.mean(shares) == pytest.approx(stop.figures["share"], abs=CLOSE)


EXPERTS = [stop for stop in STOPS if stop.kind == "expert"]


@pytest.mark.parametrize("stop", EXPERTS, ids=lambda stop: stop.words["subject"])
def test_the_expert_takes_its_subject_more_often_than_the_rest(told, stop: Stop):
    found, profile = of(told, stop), read_profile(BUNDLED / "experts.json")
    row = found.config.moe_layers.index(stop.layer)
    chosen = (found.experts_TMA[1:, row] == stop.expert).any(axis=1)
    assert chosen.mean() == pytest.approx(stop.figures["share"], abs=CLOSE)
    overall = np.mean(profile.rates(profile.layer(stop.layer).experts[stop.expert]))
    assert overall == pytest.approx(stop.figures["overall"], abs=CLOSE)
    assert chosen.mean() >= 1.5 * overall
    assert chosen[stop.token - 1], "the selected token is one of the expert's"


def test_devices_are_as_even_as_the_sentence_says(told):
    stop = only("devices")
    found, router = of(told, stop).experts_TMA, of(told, stop).config.router
    size = router.experts // router.groups
    per_layer = np.stack([np.bincount(found[:, row].ravel() // size) for row in range(found.shape[1])])
    violations = balance.max_violation(per_layer)
    assert violations.max() == pytest.approx(stop.figures["largest"], abs=CLOSE)
    assert int(of(told, stop).config.moe_layers[int(violations.argmax())]) == stop.layer
    total = per_layer.sum(axis=0, keepdims=True)
    assert balance.max_violation(total)[0] == pytest.approx(stop.figures["violation"], abs=CLOSE)
    layers = read_profile(BUNDLED / "experts.json").layers
    held_out = np.array([[expert.tokens for expert in layer.experts] for layer in layers]).sum(axis=0)
    even = balance.max_violation(held_out.reshape(1, router.groups, -1).sum(axis=2))[0]
    assert even == pytest.approx(stop.figures["general"], abs=CLOSE)


def test_the_cache_takes_what_the_formulas_say(told):
    stop = only("memory")
    bytes_of = kv_bytes_per_token(of(told, stop).config, 4)
    assert (stop.figures["latent"], stop.figures["full"]) == (bytes_of["mla"], bytes_of["mha"])


def test_no_two_neighbours_look_at_the_same_thing():
    places = [(stop.kind, stop.layer, stop.head, stop.expert) for stop in STOPS]
    assert all(one != other for one, other in pairwise(places))


def test_the_tours_prompts_are_no_samples_said_again():
    samples = {prompt for _, _, prompt in read_samples(RESOURCES / "samples.json")}
    assert not samples & {stop.prompt for stop in STOPS}
