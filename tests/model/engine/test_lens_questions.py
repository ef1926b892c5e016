"""What the engine says about attention at any length, held to the rows and latents of the same run."""

from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from model.lens_messages import (
    AggregateAttention,
    Aggregated,
    AskHeads,
    CellShown,
    DriftShown,
    HeadsAsked,
    HeadsSurveyed,
    LatentMapShown,
    MeasureDrift,
    Minus,
    PictureShown,
    RanksShown,
    ReadingShown,
    ShowCell,
    ShowLatentMap,
    ShowPicture,
    ShowRanks,
    ShowReading,
    SurveyHeads,
)
from model.messages import (
    Event,
    Failed,
    Finished,
    Generate,
    Grown,
    LatentsShown,
    OpenCheckpoint,
    RowShown,
    ShowLatents,
    ShowRow,
)
from tests.model.engine.talk import Script, answer, answers, talk

PROMPT = [20, 21, 22, 23] * 10
TOKENS = 49
ROWS = 100  # request numbers of rows: 100 + query
Kind = TypeVar("Kind")

QUESTIONS: dict[int, Any] = {
    3: ShowPicture(
        run="run-1", layer=1, heads=[0, 3], queries=(0, 49), keys=(0, 49), cell=(8, 4), reduction="mean", slot="a",
        exact=True,
    ),
    4: ShowPicture(
        run="run-1", layer=1, heads=[3], queries=(0, 49), keys=(0, 49), cell=(1, 1), slot="b",
        minus=Minus(run="run-1", layer=1, head=0), exact=True,
    ),
    5: ShowCell(run="run-1", layer=1, head=3, query=17, key=4),
    6: SurveyHeads(run="run-1", layers=[1, 2], edge=16, rows=0, exact=True),
    7: AggregateAttention(run="run-1", layer=1, head=3),
    8: ShowLatentMap(run="run-1", layer=1, tokens=(0, 49), cell=4),
    9: ShowRanks(run="run-1"),
    10: ShowReading(run="run-1", layer=1),
    11: MeasureDrift(run="run-1", layer=1, heads=[0, 3], formats=["int8", "fp8", "int6", "int4"], rows=0),
    12: AskHeads(run="run-1", query=17, key=4),
    13: ShowLatents(run="run-1", layer=1, tokens=(0, 49)),
    14: ShowPicture(run="run-1", layer=1, heads=[99], queries=(0, 49), keys=(0, 49), cell=(1, 1), slot="c"),
    15: ShowCell(run="run-1", layer=1, head=3, query=4, key=17, slot="other"),
    16: AskHeads(run="run-1", query=4, key=17, slot="other ask"),
}  # fmt: skip


def with_request(command: Any, request: int) -> Any:
    return type(command)(**{name: getattr(command, name) for name in command.__struct_fields__} | {"request": request})


@pytest.fixture(scope="module")
def heard(tiny: str) -> list[Event]:
    """One run and every question about it, with all rows of head 3 of layer 1."""
    rows = [ShowRow(request=ROWS + query, run="run-1", layer=1, head=3, query=query) for query in range(TOKENS)]

    def ask(event: Event, script: Script) -> None:
        if isinstance(event, Finished):
            script.commands += [with_request(command, number) for number, command in QUESTIONS.items()]
            script.commands.append(rows.pop(0))
        if isinstance(event, RowShown) and rows:
            script.commands.append(rows.pop(0))  # a newer row of the same run would replace one that waits

    return talk(
        OpenCheckpoint(request=1, path=tiny), Generate(request=2, token_ids=PROMPT, max_new_tokens=10), react=ask
    )


def last(heard: list[Event], kind: type[Kind], request: int) -> Kind:
    every = answers(heard, kind, request)
    assert [one.final for one in every] == [False] * (len(every) - 1) + [True]  # type: ignore[attr-defined]
    return every[-1]


@pytest.fixture(scope="module")
def head_3(heard: list[Event]) -> tuple[NDArray[np.float64], ...]:
    """Probabilities, content and position scores [T, T] of the head, NaN where masked."""
    result = np.full((3, TOKENS, TOKENS), np.nan)
    for query in range(TOKENS):
        row = answer(heard, RowShown, ROWS + query)
        for index, values in enumerate((row.probabilities, row.content_scores, row.position_scores)):
            result[index, query, : query + 1] = values.numpy()
    return tuple(result)


def test_pictures_and_differences(heard: list[Event], head_3: Any) -> None:
    shown = last(heard, PictureShown, 3)
    assert (shown.rows_done, shown.rows_total, shown.slot) == (49, 49, "a")
    values, map_QK = shown.values.numpy(), head_3[0]
    assert values.shape == (2, 7, 13)
    assert values[1, 6, 3] == pytest.approx(np.nanmean(map_QK[48:, 12:16]), abs=1e-6)
    assert np.isnan(values[1, 0, 2])
    assert shown.kept_bytes > 0
    less = last(heard, PictureShown, 4).values.numpy()[0]
    cell = np.nanmean(map_QK[48:, 12:16] - less[48:, 12:16])
    assert values[0, 6, 3] == pytest.approx(cell, abs=1e-6)


def test_a_cell_and_its_rank(heard: list[Event], head_3: Any) -> None:
    cell = answer(heard, CellShown, 5)
    for value, one in zip((cell.probability, cell.content, cell.position), head_3, strict=True):
        assert value == pytest.approx(one[17, 4], abs=1e-6)
    assert cell.rank == 1 + (head_3[0][17, :18] > head_3[0][17, 4]).sum()
    assert cell.seen == 18


def test_a_survey_of_heads(heard: list[Event], head_3: Any) -> None:
    every = answers(heard, HeadsSurveyed, 6)
    assert [(one.layer, head) for one in every for head in one.heads] == [(la, h) for la in (1, 2) for h in range(4)]
    assert every[-1].final
    assert every[-1].done == every[-1].total == 8
    one = next(one for one in every if one.layer == 1 and 3 in one.heads)
    at, told, map_QK = one.heads.index(3), one.statistics, head_3[0]
    assert one.cell == (4, 4)
    assert one.values.numpy()[at, 5, 2] == pytest.approx(map_QK[20:24, 8:12].max(), abs=1e-6)
    shares = np.nan_to_num(map_QK)
    distance = np.subtract.outer(np.arange(TOKENS), np.arange(TOKENS))
    expected = {
        "entropy": -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).mean(),
        "distance": (shares * distance).sum(axis=1).mean(),
        "sink": shares[1:, 0].mean(),
        "previous": np.diag(shares, -1).mean(),
        "local": np.mean([shares[q, q - 7 : q + 1].sum() for q in range(15, TOKENS)]),
    }
    for name, value in expected.items():
        assert getattr(told, name).numpy()[at] == pytest.approx(value, abs=1e-5), name
    ids = np.concatenate([event.tokens.ids.numpy() for event in heard if isinstance(event, Grown)])
    before = {q: [k for k in range(q) if ids[k] == ids[q]] for q in range(TOKENS)}
    same = [shares[q, keys].sum() for q, keys in before.items() if keys]
    behind = [shares[q, [k + 1 for k in keys]].sum() for q, keys in before.items() if keys]
    assert len(same) >= 36
    assert told.same.numpy()[at] == pytest.approx(np.mean(same), abs=1e-5)
    assert told.induction.numpy()[at] == pytest.approx(np.mean(behind), abs=1e-5)
    content, position = (np.array([np.var(row[: q + 1]) for q, row in enumerate(one)]) for one in head_3[1:])
    assert told.content.numpy()[at] == pytest.approx((content[1:] / (content + position)[1:]).mean(), abs=1e-4)
    assert len(told.labels) == len(one.heads)


def test_aggregations(heard: list[Event], head_3: Any) -> None:
    told, shares = last(heard, Aggregated, 7), np.nan_to_num(head_3[0])
    np.testing.assert_allclose(told.received.numpy(), shares.sum(axis=0), atol=1e-5)
    assert told.seen.numpy().tolist() == list(range(49, 0, -1))
    edges, distance = told.edges.numpy(), np.subtract.outer(np.arange(TOKENS), np.arange(TOKENS))
    assert edges.tolist() == [0, 1, 2, 4, 8, 16, 32, 64]
    expected = [shares[(distance >= a) & (distance < b)].sum() / TOKENS for a, b in pairwise(edges)]
    np.testing.assert_allclose(told.distance.numpy(), expected, atol=1e-6)
    content, position = head_3[1:]
    for name, at in (("content_variance", content), ("position_variance", position)):
        np.testing.assert_allclose(getattr(told, name).numpy(), np.nanvar(at, axis=1), atol=1e-5)
    cross = [np.cov(content[q, : q + 1], position[q, : q + 1], bias=True)[0, 1] for q in range(1, TOKENS)]
    np.testing.assert_allclose(told.covariance.numpy()[1:], cross, atol=1e-5)
    mean = shares.sum(axis=0) / np.arange(49, 0, -1)
    assert told.sinks.numpy()[0] == np.argmax(np.where(np.arange(49, 0, -1) >= 25, mean, 0))


def test_latents_over_tokens(heard: list[Event]) -> None:
    c_kv = answer(heard, LatentsShown, 13).c_kv.numpy()
    told = answer(heard, LatentMapShown, 8)
    values = told.values.numpy()
    assert values.shape == (13, c_kv.shape[1])
    block = c_kv[8:12]
    np.testing.assert_array_equal(values[2], block[np.abs(block).argmax(axis=0), np.arange(c_kv.shape[1])])
    norms = np.linalg.norm(c_kv[8:12], axis=1)
    np.testing.assert_allclose(told.norms.numpy()[2], (norms.min(), norms.max()), rtol=1e-6)
    np.testing.assert_allclose(told.deviation.numpy(), c_kv.std(axis=0), atol=1e-5)


def test_effective_ranks_and_what_heads_read(heard: list[Event]) -> None:
    c_kv = answer(heard, LatentsShown, 13).c_kv.numpy()
    told, singular = last(heard, RanksShown, 9), np.linalg.svd(c_kv.astype(np.float64), compute_uv=False)
    shares = singular / singular.sum()
    assert told.ranks.numpy()[1] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=2e-3)
    np.testing.assert_allclose(told.spectra.numpy()[1, : len(singular)], singular, atol=2e-3 * singular[0])
    reading = answer(heard, ReadingShown, 10)
    norms, values = reading.norms.numpy(), reading.singular.numpy()
    np.testing.assert_allclose((norms**2).sum(axis=1), (values**2).sum(axis=1), rtol=1e-4)


def test_drift_grows_as_bits_get_fewer(heard: list[Event]) -> None:
    told = last(heard, DriftShown, 11)
    mean, worst = told.mean.numpy(), told.worst.numpy()
    assert told.rows_done == 49
    assert (mean > 0).all()
    assert (mean <= worst).all()
    assert (worst <= 1).all()
    assert (mean[:, 0] < mean[:, 2]).all()
    assert (mean[:, 2] < mean[:, 3]).all()


def test_who_connects_two_tokens(heard: list[Event]) -> None:
    told, cell = last(heard, HeadsAsked, 12), answer(heard, CellShown, 5)
    assert told.probability.numpy()[1, 3] == pytest.approx(cell.probability, abs=1e-6)
    assert told.content.numpy()[1, 3] == pytest.approx(cell.content, abs=1e-5)
    assert told.position.numpy()[1, 3] == pytest.approx(cell.position, abs=1e-5)
    assert told.rank.numpy()[1, 3] == cell.rank


@pytest.mark.parametrize(("request_number", "named"), [(14, "Head 99"), (15, "does not see"), (16, "does not see")])
def test_what_is_not_there_is_refused(heard: list[Event], request_number: int, named: str) -> None:
    assert named in answer(heard, Failed, request_number).message
