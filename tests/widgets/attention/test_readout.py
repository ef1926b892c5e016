import numpy as np
import pytest

from widgets.attention.data import AttentionMap, CellValues, RowProfile, Stage
from widgets.attention.readout import cell_text, probability, score, sentence, stage_text, value_at

TEXTS = ["The", " king", " said", "\n"] * 600


def shown(**changes):
    values = {
        "layer": 5, "head": 3, "queries": (0, 4), "keys": (0, 4), "quantity": "probability", "reduction": "max",
        "cell": (1, 1), "values": np.where(np.tri(4) > 0, 0.412, np.nan).astype(np.float32),
    }  # fmt: skip
    return AttentionMap(**(values | changes))


def profile(query=2, layer=5, head=3):
    return RowProfile(
        layer=layer,
        head=head,
        query=query,
        probabilities=np.array([0.1, 0.588, 0.312], dtype=np.float32),
        content_scores=np.array([0.5, -1.03, 2.0], dtype=np.float32),
        position_scores=np.array([1.0, 2.77, -0.004], dtype=np.float32),
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"queries": (0, 46), "keys": (0, 46)}, "layer 5 · head 3 · 46 × 46 tokens, every cell"),
        (
            {"queries": (0, 2048), "keys": (0, 2048), "cell": (8, 8)},
            "layer 5 · head 3 · 2,048 × 2,048 tokens, max of 8 × 8 tokens",
        ),
        (
            {"queries": (0, 2048), "keys": (0, 2048), "cell": (8, 4), "reduction": "mean"},
            "layer 5 · head 3 · 2,048 × 2,048 tokens, mean of 8 × 4 tokens",
        ),
        (
            {"queries": (1000, 1064), "keys": (40, 104)},
            "layer 5 · head 3 · queries 1,000–1,063 × keys 40–103, every cell",
        ),
        ({"quantity": "content"}, "layer 5 · head 3 · content scores · 4 × 4 tokens, every cell"),
    ],
)
def test_the_sentence_says_exactly_what_is_shown(changes, expected):
    assert sentence(shown(**changes)) == expected


def test_a_cell_of_the_profiles_query_is_read_in_full():
    text = cell_text(shown(), TEXTS, query=2, key=1, row=profile())
    assert text == "query 2 “said” → key 1 “king”  p 0.588  content −1.03  position +2.77  rank 1"


def test_a_cell_of_another_query_has_its_probability_only():
    for row in (None, profile(query=1), profile(head=4), profile(layer=0)):
        assert cell_text(shown(), TEXTS, query=2, key=1, row=row) == "query 2 “said” → key 1 “king”  p 0.412"


def test_the_cell_under_the_cursor_is_read_in_full_once_it_is_known():
    cell = CellValues(
        layer=5, head=3, query=2, key=1, probability=0.412, content=1.5, position=-0.25, rank=1234, seen=3
    )  # fmt: skip
    words = "query 2 “said” → key 1 “king”  p 0.412  content +1.50  position −0.25  rank 1,234"
    assert cell_text(shown(), TEXTS, query=2, key=1, cell=cell) == words
    assert "content" not in cell_text(shown(), TEXTS, query=2, key=0, cell=cell)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage(64, 131_072, "bf16"), "64 of 131,072 rows, bf16"),
        (Stage(131_072, 131_072, "bf16"), "every row, bf16"),
        (Stage(64, 131_072, "float32"), "64 of 131,072 rows, float32"),
        (Stage(8, 8, "float32"), "every row, float32, exact"),
    ],
)
def test_only_every_row_in_float32_is_called_exact(stage, words):
    assert stage_text(stage) == words
    assert sentence(shown(stage=stage)).endswith(words)


def test_a_score_is_named_as_what_it_is():
    text = cell_text(shown(quantity="position"), TEXTS, query=2, key=0)
    assert text == "query 2 “said” → key 0 “The”  position +0.41"


def test_a_masked_cell_is_called_masked():
    text = cell_text(shown(), TEXTS, query=1, key=3)
    assert text == "query 1 “king” → key 3 “↵”  masked: this key comes later"


def test_a_pooled_cell_is_said_to_be_one():
    pooled = shown(queries=(0, 2048), keys=(0, 2048), cell=(8, 8), values=np.full((256, 256), 0.5, dtype=np.float32))
    text = cell_text(pooled, TEXTS, query=2044, key=17)
    assert text == "query 2044 “The” → key 17 “king”  max of 8 × 8: p 0.500"


def test_a_value_is_found_by_its_tokens_and_nowhere_else():
    part = shown(queries=(8, 12), keys=(4, 8), values=np.arange(16, dtype=np.float32).reshape(4, 4))
    assert value_at(part, 9, 6) == 6.0
    assert value_at(part, 7, 6) is None
    assert value_at(part, 9, 8) is None
    assert value_at(shown(), 0, 3) is None


def test_a_token_not_yet_in_the_map_has_no_value():
    assert cell_text(shown(), TEXTS, query=5, key=4) == "query 5 “king” → key 4 “The”"


def test_small_probabilities_keep_two_digits():
    assert [probability(value) for value in (0.0, 0.412, 1.0, 0.00041)] == ["0.000", "0.412", "1.000", "4.1e-04"]
    assert score(-1.034) == "−1.03"


def test_rank_counts_the_stronger_keys():
    assert [profile().rank(key) for key in range(3)] == [3, 1, 2]
    assert profile().strongest(2).tolist() == [1, 2]
