"""What a person is looking at: one selection, shared by every view."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """All numbers count from 0; None means nothing of that kind is chosen.

    `token` is a token fed to the model (a query of the attention map), `layer` an attention block.
    """

    token: int | None = None
    layer: int = 0
    head: int = 0
    expert: int | None = None
    device: int | None = None
