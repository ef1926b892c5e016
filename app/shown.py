"""What the engine answered to the views' questions, frozen, and how one more answer changes it. Qt-free."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.messages import (
    Aggregated,
    CellShown,
    DriftShown,
    HeadsAsked,
    HeadsSurveyed,
    LatentMapShown,
    PictureShown,
    Quantity,
    RanksShown,
    ReadingShown,
    RowShown,
    ScoresShown,
)

Place = tuple[int, int]  # layer, head
Answer = (
    PictureShown
    | CellShown
    | HeadsSurveyed
    | Aggregated
    | LatentMapShown
    | RanksShown
    | ReadingShown
    | DriftShown
    | HeadsAsked
    | RowShown
    | ScoresShown
)
STATISTICS = ("entropy", "diffuseness", "distance", "sink", "previous", "induction", "same", "local", "content")
GALLERY = "gallery"


@dataclass(frozen=True, slots=True, eq=False)
class SeenHead:
    """A head's small map [edge, edge], over so many tokens in cells of so many, its statistics and its label."""

    tokens: int
    cell: tuple[int, int]
    quantity: Quantity
    values: NDArray[np.float32]
    statistics: Mapping[str, float]
    label: tuple[str, float]


@dataclass(frozen=True, slots=True)
class Shown:
    """Answers of the engine to the views' questions; each stays until a newer one arrives.

    `pictures` are by the slot they were asked for: map, content, position, pin:0 …, difference. `gallery` has the
    heads of one layer by the quantity chosen, `heads` all heads seen so far by probability.
    """

    pictures: Mapping[str, PictureShown] = field(default_factory=dict)
    gallery: Mapping[Place, SeenHead] = field(default_factory=dict)
    heads: Mapping[Place, SeenHead] = field(default_factory=dict)
    surveyed: HeadsSurveyed | None = None  # the newest, for what its scores are based on
    row: RowShown | None = None
    cell: CellShown | None = None  # the one under the cursor
    scores: ScoresShown | None = None
    sums: Aggregated | None = None
    latents: LatentMapShown | None = None
    ranks: RanksShown | None = None
    reading: ReadingShown | None = None
    drift: DriftShown | None = None
    asked: HeadsAsked | None = None

    @property
    def attention(self) -> PictureShown | None:
        """The map of the selected head."""
        return self.pictures.get("map")


def belongs(answer: Answer, run: str) -> bool:
    """Whether an answer is about the run on show; pinned heads may be of any run."""
    pinned = isinstance(answer, PictureShown) and (answer.slot.startswith("pin:") or answer.slot == "difference")
    return pinned or answer.run == run


def same_but_pictures(one: Shown, other: Shown) -> bool:
    """Whether nothing differs but maps, the row and the cell: what changes many times a second while zooming."""
    names = ("heads", "surveyed", "asked", "sums", "latents", "ranks", "reading", "drift")
    return all(getattr(one, name) is getattr(other, name) for name in names)


def with_answer(shown: Shown, answer: Answer) -> Shown:
    """What is shown after one more answer."""
    match answer:
        case PictureShown():
            return replace(shown, pictures={**shown.pictures, answer.slot: answer})
        case HeadsSurveyed():
            return _with_heads(shown, answer)
        case RowShown():
            return replace(shown, row=answer)
        case CellShown():
            return replace(shown, cell=answer)
        case ScoresShown():
            return replace(shown, scores=answer)
        case Aggregated():
            return replace(shown, sums=answer)
        case LatentMapShown():
            return replace(shown, latents=answer)
        case RanksShown():
            return replace(shown, ranks=answer)
        case ReadingShown():
            return replace(shown, reading=answer)
        case DriftShown():
            return replace(shown, drift=answer)
        case HeadsAsked():
            return replace(shown, asked=answer)


def _with_heads(shown: Shown, answer: HeadsSurveyed) -> Shown:
    values = answer.values.numpy()
    numbers = {name: getattr(answer.statistics, name).numpy() for name in STATISTICS}
    scores = answer.statistics.scores.numpy()
    seen = {
        (answer.layer, head): SeenHead(
            answer.tokens,
            answer.cell,
            answer.quantity,
            values[index],
            {name: float(column[index]) for name, column in numbers.items()},
            (answer.statistics.labels[index], float(scores[index])),
        )
        for index, head in enumerate(answer.heads)
    }
    gallery = shown.gallery
    if answer.slot == GALLERY:
        old = next(iter(gallery.items()), None)
        fits = old is not None and old[0][0] == answer.layer and old[1].quantity == answer.quantity
        gallery = {**gallery, **seen} if fits else seen
    heads = {**shown.heads, **seen} if answer.quantity == "probability" else shown.heads
    return replace(shown, gallery=gallery, heads=heads, surveyed=answer)
