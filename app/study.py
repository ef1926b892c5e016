"""The attention study in the window: its report, and the comparison that goes on or was the last. Qt-free."""

from dataclasses import dataclass, field, replace

import numpy as np

from model.messages import AttentionsCompared, CacheGrown
from model.study_report import StudyReport
from widgets.study.data import Growth

_NONE = np.zeros(0, np.int64)
NOTHING = Growth(_NONE, _NONE, _NONE, 0, np.zeros((1, 0), np.int64), np.zeros((1, 0), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """`request` is that of the comparison that goes on, 0: none does. `curves` by kind, as far as they have grown."""

    report: StudyReport | None = None
    folder: str = ""
    problem: str = ""  # why there is no report
    request: int = 0
    last: int = 0  # the request whose curves are shown
    prompt: str = ""
    curves: dict[str, Growth] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def study_started(study: Study, *, request: int, prompt: str) -> Study:
    """A comparison was asked for; the curves of the one before go."""
    return replace(study, request=request, last=request, prompt=prompt, curves={}, texts={})


def study_after(study: Study, event: CacheGrown | AttentionsCompared) -> Study:
    """What an event of the comparison on show adds; others are of one that was given up."""
    if event.request != study.last:
        return study
    if isinstance(event, AttentionsCompared):
        return replace(study, request=0, texts=event.texts)
    before = study.curves.get(event.kind, NOTHING)
    grown = Growth(
        tokens=np.append(before.tokens, event.tokens),
        measured_bytes=np.append(before.measured_bytes, event.measured_bytes),
        used_bytes=np.append(before.used_bytes, event.used_bytes),
        bytes_per_token=event.bytes_per_token,
        reads=event.reads.numpy(),
        queries=event.queries.numpy(),
    )
    return replace(study, curves={**study.curves, event.kind: grown})


def study_ended(study: Study, request: int) -> Study:
    """The comparison of this request has ended; what it drew stays."""
    return replace(study, request=0) if request and study.request == request else study
