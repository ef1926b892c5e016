"""Runs that can be asked about: live ones, finished ones, and recordings that were opened."""

from dataclasses import dataclass, field

from model.engine.opened import OpenModel
from model.engine.scratch import Scratch
from model.lenses.kept import Kept
from model.messages import RunInfo
from model.problems import Problem
from model.recording.projections import Projections
from model.recording.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run; without projections its attention cannot be rebuilt, and `info` says why."""

    info: RunInfo
    recording: Recording
    projections: Projections | None

    def for_attention(self) -> Projections:
        """The projections. Raises Problem when they are missing."""
        if self.projections is None:
            raise Problem(self.info.attention_reason)
        return self.projections


@dataclass(slots=True, eq=False)
class Engine:
    """What lives as long as the engine: the open model and the runs."""

    scratch: Scratch = field(default_factory=Scratch)
    model: OpenModel | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept)  # for views of attention to come

    def open_model(self) -> OpenModel:
        """The open model. Raises Problem when there is none."""
        if self.model is None:
            raise Problem("No model is open; open a checkpoint first.")
        return self.model

    def keep_model(self, model: OpenModel) -> None:
        """Replace the open model."""
        self.model = model

    def run(self, name: str) -> Run:
        """A run by name. Raises Problem when there is none."""
        run = self.runs.get(name)
        if run is None:
            raise Problem(f"The run {name!r} is not open; open its recording again.")
        return run

    def new_name(self) -> str:
        """A name that no run of this engine has."""
        return f"run-{len(self.runs) + 1}"
