import numpy as np

from model.training import speed
from model.training.batches import Batches


def test_both_versions_and_all_parts_are_measured(config, recipe, monkeypatch):
    monkeypatch.setattr(speed, "loupe_mini", lambda: config)
    batches = Batches({"a": np.arange(1, 299, dtype=np.uint16)}, seed=1)
    facts = speed.measured(recipe, batches, device="cpu", turns=1)
    assert facts["tokens_per_second"] > 0
    assert facts["ratio"] > 0
    assert set(facts["shares"]) == {"drawing text", "forward", "backward", "optimiser"}
    assert abs(sum(facts["shares"].values()) - 1) < 0.01
