from pathlib import Path

import numpy as np

from model.lenses.memory import memory_series
from tests.model.recording.runs import record


def test_series_are_measured_bytes_beside_the_formulas_of_four_attention_forms(tmp_path: Path) -> None:
    recording, told = record(tmp_path / "run", (200, 1, 1))
    steps = recording.step_batch()
    measured, used = steps.measured_bytes.numpy(), steps.used_bytes.numpy()
    series = memory_series(steps.tokens.numpy(), measured, used, recording.info.config, "float32")
    tokens = np.array([200, 201, 202])
    assert series.tokens.tolist() == tokens.tolist()
    assert series.measured_bytes.tolist() == [step.measured_bytes for step in told.steps]
    assert series.used_bytes.tolist() == series.mla_bytes.tolist() == (3 * (10 + 4) * 4 * tokens).tolist()
    expanded = 6 + 4 + 5
    assert series.mha_bytes.tolist() == series.gqa_bytes.tolist() == (3 * 2 * expanded * 4 * tokens).tolist()
    assert series.mqa_bytes.tolist() == (3 * expanded * 4 * tokens).tolist()
    assert (series.measured_bytes >= series.used_bytes).all()
