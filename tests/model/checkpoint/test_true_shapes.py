"""The published checkpoints in their true shapes, described from sparse headers: exact figures in bounded memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.summary import summarise
from tests.model.checkpoint.true_shapes import write_true_shapes

# Tensors in the files, parameters in all and for a token (without the embedding), bytes of KV per token in bf16.
FIGURES = {
    "DeepSeek-V3": (90_427, 671_026_419_200, 36_625_618_432, 70_272),
    "DeepSeek-V2": (29_102, 235_741_434_880, 20_851_512_320, 69_120),
    "DeepSeek-V2-Lite": (5_291, 15_706_484_224, 2_451_435_008, 31_104),
    "Kimi-K2": (139_583, 1_026_408_232_448, 31_687_095_808, 70_272),
    "Kimi-K2-Thinking": (208_215, 1_026_408_232_448, 31_687_095_808, 70_272),
}
FORMATS = {
    "DeepSeek-V3": ["fp8 e4m3", "bfloat16", "float32"],
    "DeepSeek-V2": ["bfloat16"],
    "DeepSeek-V2-Lite": ["bfloat16"],
    "Kimi-K2": ["fp8 e4m3", "bfloat16", "float32"],
    "Kimi-K2-Thinking": ["int4 group 32", "bfloat16", "float32"],
}
# Not ru_maxrss: a child begins with the peak of whoever started it.
PEAK = """
import sys
from pathlib import Path
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.summary import summarise
summarise(read_checkpoint(sys.argv[1]))
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.parametrize("name", FIGURES)
def test_a_published_checkpoint_comes_out_with_its_published_figures(name: str, tmp_path: Path) -> None:
    tensors, total, active, kv_bytes = FIGURES[name]
    assert write_true_shapes(tmp_path, name) == tensors
    checkpoint = read_checkpoint(tmp_path)
    summary = summarise(checkpoint)
    assert (summary.parameters_total, summary.parameters_active) == (total, active)
    assert summary.kv_bytes_per_token["mla"] == kv_bytes
    assert summary.dtype == "bfloat16"
    assert list(summary.formats) == FORMATS[name]
    headers = checkpoint.file_bytes - sum(summary.formats.values())
    assert 0 < headers < 250 * tensors  # every byte behind a header belongs to a tensor that is asked for
    assert not [note for note in summary.notes if "ignored" in note or "skipped" in note]


def test_deepseek_v3_is_described_in_500_mb(tmp_path: Path) -> None:
    write_true_shapes(tmp_path, "DeepSeek-V3")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", PEAK, str(tmp_path)]
    peak = int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert peak * 1024 < 500e6
