"""How far bfloat16 moves a head's probabilities, measured on a few of its rows."""

import numpy as np
import torch

from model.lens_messages import Arithmetic
from model.lenses.rows import probabilities
from model.lenses.scorer import Scorer

ROWS = 4
FLOAT32: Arithmetic = "float32"


def rounding_error(scorer: Scorer, queries: tuple[int, int]) -> float:
    """Largest difference of a probability of some queries between a scorer's arithmetic and float32's.

    The scorer itself may be in the middle of other rows, so others of its head are asked.
    """
    count = min(ROWS, queries[1] - queries[0])
    tokens = np.linspace(queries[0], queries[1] - 1, count).astype(np.int64)
    tokens = np.unique(tokens)
    rounded, exact = (
        probabilities(Scorer(scorer.reader, scorer.kept, arithmetic=each), tokens)
        for each in (scorer.arithmetic, FLOAT32)
    )
    return float(torch.max(torch.abs(rounded - exact)))
