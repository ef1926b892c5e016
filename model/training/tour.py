"""`python -m model.training tour DIR --texts FOLDER`: what there is to see in a checkpoint, chosen by measured scores.

A head is chosen where its score is best over many texts: held-out ones, random tokens said twice, generated
brackets and questions. What is written is then measured on the one prompt that is shown. Figures of a stop:

previous   share: mean weight on the token before; general: the same over the held-out texts
induction  share: mean weight of repeated tokens on what came next before; general: on random tokens said twice;
           first, second: mean bits of a token the first and the second time
recall     share: mean weight, just before each answer, on the value asked for; probability: of the right answer
brackets   share: mean weight of closing brackets on their openers; even: what even attention would give
sink       share: mean weight on the first token; general: the same over the held-out texts
expert     share, overall: part of this prompt's tokens, and of the held-out ones, that chose the expert
devices    violation: MaxVio over all layers; general: the same over the held-out texts; devices: how many;
           largest: the least even layer's MaxVio on this prompt
memory     latent, full: bytes a token as cached, and as keys and values of every head, in float32
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from model.expert_profile import FILE_NAME, ExpertProfile, read_profile
from model.kv_bytes import kv_bytes_per_token
from model.tour import Stop, Tour, write_tour
from model.training import generated, tour_prompts, tour_scores
from model.training.inside import Inside, Reader, look_inside, open_reader
from model.training.specialisation import max_violation
from model.training.tour_scores import Pairs, Words, best_head, even, given

SEED = 20
TEXT_TOKENS = 256  # of each held-out text
PERIOD, REPEATED = 64, 8  # random tokens said twice, and how many such texts
GENERATED = 8  # texts of brackets, and of questions
MOST_EXPERTS = 3
# What has not formed is not shown: the least share a head must give on the prompt, an expert must take more of.
LEAST = {"previous": 0.25, "induction": 0.2, "recall": 0.2, "brackets": 0.2, "sink": 0.4}
LEAST_MORE, LEAST_TIMES = 0.15, 1.5
NEW_TOKENS = {"previous": 24, "induction": 12, "recall": 4, "expert": 16}

Scores = NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder; its experts.json is read")
    parser.add_argument("--texts", type=Path, required=True, help="folder of texts that training never saw")
    parser.add_argument("--out", type=Path, default=Path("resources/tour.json"), help="file to write")


def main(options: argparse.Namespace) -> None:
    """Measure, write, and list what was found."""
    torch.set_num_threads(1)  # small products; beside other work a second thread would mostly wait and spin
    reader = open_reader(options.checkpoint)
    texts = [file.read_text(encoding="utf-8") for file in sorted(options.texts.glob("*.txt"))]
    stops = choose(reader, texts, read_profile(options.checkpoint / FILE_NAME))
    digest = hashlib.sha256((options.checkpoint / "model.safetensors").read_bytes()).hexdigest()
    write_tour(Tour(checkpoint=reader.name, weights=digest, stops=stops), options.out)
    for stop in stops:
        place = f"layer {stop.layer} head {stop.head} expert {stop.expert}"
        sys.stdout.write(f"{stop.kind:10} {place:30} {stop.figures} {stop.words}\n")


def choose(reader: Reader, texts: list[str], profile: ExpertProfile) -> list[Stop]:
    """Every stop whose claim holds clearly enough, in the order of the tour."""
    previous_LH, first_LH = _over_texts(reader, texts, (tour_scores.previous, tour_scores.first))
    heads = [
        _plain(reader, "previous", tour_prompts.TALE, previous_LH, tour_scores.previous),
        _induction(reader),
        _recall(reader),
        _brackets(reader),
        _plain(reader, "sink", tour_prompts.PLAY, first_LH, tour_scores.first),
    ]
    shown = [_also(stop, heads) for stop in heads if stop.figures["share"] >= LEAST[stop.kind]]
    return [*shown, *_experts(reader, profile), _devices(reader, profile), _memory(reader)]


def _also(stop: Stop, heads: list[Stop]) -> Stop:
    """A resting head may be one that does something where there is something to do."""
    if stop.kind != "sink":
        return stop
    busy = next((other for other in heads if other.kind != "sink" and _place(other) == _place(stop)), None)
    return stop if busy is None else msgspec.structs.replace(stop, words={"also": busy.kind})


def _place(stop: Stop) -> tuple[int, int | None]:
    return stop.layer, stop.head


# ---- heads -----------------------------------------------------------------------------------------


def _plain(reader: Reader, kind: str, prompt: str, general_LH: Scores, pairs_of: Callable[[int], Pairs]) -> Stop:
    return _head_stop(reader, kind, prompt, general_LH, pairs_of(len(reader.ids(prompt))))


def _induction(reader: Reader) -> Stop:
    dice = np.random.default_rng(SEED)
    scores = []
    for _ in range(REPEATED):
        once = dice.integers(1, reader.decoder.config.vocab_size, PERIOD)
        ids = [reader.ids("")[0], *once.tolist(), *once.tolist()]
        pairs = np.array([(query, query - PERIOD + 1) for query in range(PERIOD + 1, 2 * PERIOD + 1)])
        scores.append(given(look_inside(reader.decoder, ids).attention_LHTT, pairs).mean(axis=2))
    prompt = tour_prompts.TWICE
    words, inside = _read(reader, prompt)
    pairs = tour_scores.copied(words.ids)
    cut = words.at(len(tour_prompts.WORDS))  # the second time begins with the space
    costs = {"first": float(inside.bits_T[1:cut].mean()), "second": float(inside.bits_T[cut:].mean())}
    return _head_stop(reader, "induction", prompt, np.mean(scores, axis=0), pairs, more=costs)


def _recall(reader: Reader) -> Stop:
    whole = tour_prompts.RECALL
    general_LH = _over_generated(reader, generated.recall, tour_scores.recalled)
    words, inside = _read(reader, whole)
    answer = words.within(len(whole) - tour_prompts.RECALL_ASKED, len(whole))
    told = {"probability": float(2.0 ** -inside.bits_T[answer].sum())}
    pairs = tour_scores.recalled(whole, words)
    prompt = whole[: -tour_prompts.RECALL_ASKED]
    words_told = {"answer": whole[-tour_prompts.RECALL_ASKED :], "key": whole.rsplit("\n", 1)[1].partition(" ")[0]}
    return _head_stop(
        reader, "recall", prompt, general_LH, pairs, more=told, words=words_told, token=int(pairs[:, 0].max())
    )


def _brackets(reader: Reader) -> Stop:
    general_LH = _over_generated(reader, generated.brackets, tour_scores.brackets)
    prompt = tour_prompts.BRACKETS
    pairs = tour_scores.brackets(prompt, _words(reader, prompt))
    return _head_stop(reader, "brackets", prompt, general_LH, pairs, more={"even": even(pairs)})


def _head_stop(
    reader: Reader,
    kind: str,
    prompt: str,
    general_LH: Scores,
    pairs: Pairs,
    *,
    more: dict[str, float] | None = None,
    words: dict[str, str] | None = None,
    token: int | None = None,
) -> Stop:
    """The best head over many texts, measured on the prompt; the token to select is the clearest one."""
    layer, head = best_head(general_LH)
    given_Q = given(_read(reader, prompt)[1].attention_LHTT, pairs)[layer, head]
    clearest = int(np.unique(pairs[:, 0])[given_Q.argmax()])
    figures = {"share": float(given_Q.mean()), "general": float(general_LH[layer, head]), **(more or {})}
    return Stop(
        kind=kind,  # type: ignore[arg-type]  # the kinds are this module's own
        prompt=prompt,
        new_tokens=NEW_TOKENS.get(kind, 0),
        layer=layer,
        head=head,
        token=clearest if token is None else token,
        figures=_rounded(figures),
        words=words or {},
    )


def _over_texts(reader: Reader, texts: list[str], kinds: tuple[Callable[[int], Pairs], ...]) -> list[Scores]:
    """Mean scores of every head over the beginnings of texts, each counting alike, [L, H] for every kind of pairs."""
    scores = []
    for text in texts:
        ids = reader.ids(text[: 8 * TEXT_TOKENS])[:TEXT_TOKENS]
        attention_LHTT = look_inside(reader.decoder, ids).attention_LHTT
        scores.append([given(attention_LHTT, pairs_of(len(ids))).mean(axis=2) for pairs_of in kinds])
    return list(np.mean(scores, axis=0))


def _over_generated(
    reader: Reader, make: Callable[[np.random.Generator], str], pairs_of: Callable[[str, Words], Pairs]
) -> Scores:
    dice = np.random.default_rng(SEED)
    scores = []
    for _ in range(GENERATED):
        text = make(dice)
        words, inside = _read(reader, text)
        pairs = pairs_of(text, words)
        if len(pairs):
            scores.append(given(inside.attention_LHTT, pairs).mean(axis=2))
    return np.asarray(np.mean(scores, axis=0))


def _words(reader: Reader, text: str) -> Words:
    encoding = reader.tokenizer.encode(text)
    return Words(encoding.ids, [(int(start), int(end)) for start, end in encoding.offsets])


def _read(reader: Reader, text: str) -> tuple[Words, Inside]:
    words = _words(reader, text)
    return words, look_inside(reader.decoder, words.ids)


# ---- experts, devices, memory ----------------------------------------------------------------------


def _experts(reader: Reader, profile: ExpertProfile) -> list[Stop]:
    """For each subject the expert that its domains choose most more often than others; the clearest subjects."""
    stops = []
    for subject in tour_prompts.SUBJECTS:
        own = np.isin(profile.domains, subject.domains)
        if not own.any():
            continue
        more = {
            (layer.layer, number): rates[own].mean() - rates[~own].mean()
            for layer in profile.layers
            for number, expert in enumerate(layer.experts)
            for rates in [np.array(profile.rates(expert))]
        }
        stops.append(_expert_stop(reader, profile, subject, max(more, key=lambda place: more[place])))
    clear = [
        stop
        for stop in stops
        if stop.figures["share"] >= stop.figures["overall"] + LEAST_MORE
        and stop.figures["share"] >= LEAST_TIMES * stop.figures["overall"]
    ]
    kept = sorted(clear, key=lambda stop: stop.figures["overall"] - stop.figures["share"])[:MOST_EXPERTS]
    return [stop for stop in stops if stop in kept]


def _expert_stop(reader: Reader, profile: ExpertProfile, subject: tour_prompts.Subject, place: tuple[int, int]) -> Stop:
    layer, number = place
    words, inside = _read(reader, subject.prompt)
    chosen_T = (inside.experts_MTA[reader.decoder.config.moe_layers.index(layer)] == number).any(axis=1)
    found = profile.layer(layer)
    assert found is not None
    takers = np.flatnonzero(chosen_T[1:]) + 1
    return Stop(
        kind="expert",
        prompt=subject.prompt,
        new_tokens=NEW_TOKENS["expert"],
        layer=layer,
        expert=number,
        token=int(takers[len(takers) // 2]) if len(takers) else len(words.ids) - 1,
        figures=_rounded(
            {
                "share": float(chosen_T[1:].mean()),  # the beginning of a text belongs to no language
                "overall": float(np.mean(profile.rates(found.experts[number]))),
                "tokens": profile.tokens,
            }
        ),
        words={"subject": subject.name},
    )


def _devices(reader: Reader, profile: ExpertProfile) -> Stop:
    router, layers = reader.decoder.config.router, reader.decoder.config.moe_layers
    assert router is not None
    words, inside = _read(reader, tour_prompts.MIXED)
    groups_MTA = inside.experts_MTA // (router.experts // router.groups)
    load_MN = np.stack([np.bincount(groups_TA.ravel(), minlength=router.groups) for groups_TA in groups_MTA])
    by_layer = [max_violation(load_N) for load_N in load_MN]
    counts_ME = np.array([[expert.tokens for expert in layer.experts] for layer in profile.layers])
    held_out_N = counts_ME.sum(axis=0).reshape(router.groups, -1).sum(axis=1)
    figures: dict[str, float] = {
        "general": max_violation(held_out_N),
        "violation": max_violation(load_MN.sum(axis=0)),
        "largest": max(by_layer),
        "devices": router.groups,
        "tokens": len(words.ids),
    }
    return Stop(
        kind="devices", prompt=tour_prompts.MIXED, layer=layers[int(np.argmax(by_layer))], figures=_rounded(figures)
    )


def _memory(reader: Reader) -> Stop:
    config = reader.decoder.config
    bytes_of = kv_bytes_per_token(config, 4)
    figures: dict[str, float] = {"latent": bytes_of["mla"], "full": bytes_of["mha"]}
    layer = config.moe_layers[0]  # the memory is that of all layers; the other views have something to show there
    return Stop(kind="memory", prompt=tour_prompts.PLAY, new_tokens=48, layer=layer, figures=_rounded(figures))


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in figures.items()}
