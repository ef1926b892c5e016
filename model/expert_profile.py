"""What each routed expert is chosen for, measured over texts: the data, and its file. Torch-free, Qt-free.

A profile counts tokens. A token counts for an expert when the router chose that expert for it, in
whichever place; so the counts of a layer add up to the tokens times the experts per token.
"""

from math import isfinite
from pathlib import Path

import msgspec

from model.outside import read_bounded
from model.problems import Problem

FORMAT = 1
FILE_NAME = "experts.json"  # beside a checkpoint's config.json
FILE_LIMIT = 64 * 10**6
DOMAIN_LIMIT = 64
NAME_LIMIT = 80
TYPICAL_LIMIT = 32


class TypicalToken(msgspec.Struct, frozen=True, array_like=True):
    """A token that an expert gets more often than others do.

    Chosen `count` times of `of`; `lift` is the share of those over the expert's share of all tokens, `score` the
    log-odds ratio in standard deviations (`model.lenses.typical`).
    """

    text: str
    count: int
    of: int
    lift: float
    score: float


class ExpertCounts(msgspec.Struct, frozen=True):
    """One expert: the tokens of each domain that chose it, and its most typical tokens, best first."""

    domains: list[int]
    typical: list[TypicalToken] = []

    @property
    def tokens(self) -> int:
        """Tokens that chose it."""
        return sum(self.domains)


class LayerProfile(msgspec.Struct, frozen=True):
    """All routed experts of one MoE layer; `layer` is its attention block's number."""

    layer: int
    experts: list[ExpertCounts]


class ExpertProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Every expert of a model over the same texts.

    `texts` says in a few words what they are, `domains` and `domain_tokens` name and count them;
    `fingerprint` is the checkpoint's.
    """

    format: int = FORMAT
    model: str
    fingerprint: str
    texts: str
    domains: list[str]
    domain_tokens: list[int]
    layers: list[LayerProfile]

    @property
    def tokens(self) -> int:
        """Tokens measured over."""
        return sum(self.domain_tokens)

    def layer(self, number: int) -> LayerProfile | None:
        """The profile of a layer; None for one without experts."""
        return next((layer for layer in self.layers if layer.layer == number), None)

    def rates(self, expert: ExpertCounts) -> list[float]:
        """The share of each domain's tokens that chose the expert, 0 to 1."""
        return [count / max(total, 1) for count, total in zip(expert.domains, self.domain_tokens, strict=True)]


def read_profile(path: Path) -> ExpertProfile:
    """A profile from a file, of which nothing is trusted. Raises Problem."""
    content = read_bounded(path, limit=FILE_LIMIT)
    try:
        profile = msgspec.json.decode(content, type=ExpertProfile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(f"{path} is not an expert profile ({str(error)[:120]}); make it again.") from None
    fault = _fault(profile)
    if fault:
        raise Problem(f"{path} is not an expert profile ({fault}); make it again.")
    return profile


def write_profile(profile: ExpertProfile, path: Path) -> None:
    """Write a profile whole or not at all, a line for each expert. Raises Problem."""
    text = msgspec.json.encode(profile).decode()
    text = text.replace('{"layer":', '\n{"layer":').replace('{"domains":', '\n{"domains":') + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise Problem(f"{path} cannot be written ({error.strerror}); choose another place.") from None


def _fault(profile: ExpertProfile) -> str:
    """What contradicts itself, or is more than is shown; empty when nothing does."""
    domains = len(profile.domains)
    if profile.format != FORMAT:
        return f"format {profile.format}, not {FORMAT}"
    if not 1 <= domains <= DOMAIN_LIMIT or len(profile.domain_tokens) != domains or min(profile.domain_tokens) < 1:
        return "its domains and their tokens do not agree"
    if max(map(len, (profile.model, profile.texts, *profile.domains))) > 4 * NAME_LIMIT:
        return "a name is too long"
    for layer in profile.layers:
        for expert in layer.experts:
            counts = zip(expert.domains, profile.domain_tokens, strict=False)
            if len(expert.domains) != domains or any(not 0 <= count <= total for count, total in counts):
                return f"the counts of layer {layer.layer} are not those of {domains} domains"
            if len(expert.typical) > TYPICAL_LIMIT or not all(map(_is_sound, expert.typical)):
                return f"the typical tokens of layer {layer.layer} are no such list"
    return ""


def _is_sound(token: TypicalToken) -> bool:
    return (
        len(token.text) <= NAME_LIMIT
        and 0 <= token.count <= token.of
        and isfinite(token.lift)
        and isfinite(token.score)
    )
