"""What routing says about the text: pure functions on counts."""

import numpy as np


def mutual_information(counts_XE: np.ndarray) -> float:
    """Bits that the column says about the row, every row weighted alike. [domains, experts] counts."""
    joint_XE = counts_XE / counts_XE.sum(axis=1, keepdims=True) / len(counts_XE)
    independent_XE = joint_XE.sum(axis=1, keepdims=True) * joint_XE.sum(axis=0, keepdims=True)
    seen = joint_XE > 0
    return float((joint_XE[seen] * np.log2(joint_XE[seen] / independent_XE[seen])).sum())


def max_violation(load_X: np.ndarray) -> float:
    """MaxVio (arXiv 2408.15664): largest load over the mean load, minus 1."""
    return float(load_X.max() / load_X.mean() - 1)


def expert_counts(ids: np.ndarray, experts: int) -> np.ndarray:
    """How often each expert occurs, int64 [E]."""
    return np.bincount(ids.ravel(), minlength=experts)
