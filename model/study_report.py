"""What the attention study found, as the shipped `report.json` holds it. Torch-free."""

from pathlib import Path

import msgspec

from model.config import AttentionKind
from model.outside import read_bounded
from model.problems import Problem

REPORT = "report.json"
LIMIT = 10**6


class PaperRow(msgspec.Struct, frozen=True):
    """One row of a table that the DeepSeek-V2 paper prints; never measured here."""

    table: str
    what: str
    values: dict[str, str]


class StudiedModel(msgspec.Struct, frozen=True):
    """One of the four. Bytes in bfloat16; bits per byte of held-out text, of every seed in the order of `seeds`."""

    kind: AttentionKind
    model_type: str
    parameters: int
    parameters_active: int
    dense_width: int
    kv_bytes_formula: int  # per token, over all layers
    kv_bytes_measured: float  # the cache's own storage behind some tokens, per token
    held_out: dict[str, list[float]]
    induction: list[float]  # mean weight of the best head, for every seed
    repetition_gain: list[float]  # bits per token
    tokens_per_second: dict[str, float]  # by tokens of context
    training_seconds: list[int]

    @property
    def bits_per_byte(self) -> list[float]:
        """The mean over domains, for every seed."""
        return [sum(column) / len(column) for column in zip(*self.held_out.values(), strict=True)]


class StudyReport(msgspec.Struct, frozen=True):
    """All four, how they were trained, what they were measured on, and the paper's rows beside them."""

    format: int
    trained_on: str
    measured_on: str
    tokens: int
    seeds: list[int]
    models: list[StudiedModel]
    paper: list[PaperRow]


def read_report(folder: Path) -> StudyReport:
    """The report of a study's folder. Raises Problem."""
    path = folder / REPORT
    try:
        report = msgspec.json.decode(read_bounded(path, limit=LIMIT), type=StudyReport)
    except msgspec.MsgspecError as error:
        raise Problem(f"{path} is not a report of the attention study ({error}); get the file again.") from None
    if report.format != 1 or not report.models or not report.seeds:
        raise Problem(f"{path} is not a report of this version's attention study; get the file again.")
    return report
