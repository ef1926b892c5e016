"""Typed, range-checked access to the keys of a `config.json`; every refusal names key, value and allowed range."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from model.problems import Problem


@dataclass(frozen=True, slots=True)
class Keys:
    """One JSON object. A missing key takes its default; `where` names the object in a Problem."""

    values: Mapping[str, object]
    where: str
    defaults: Mapping[str, object] = field(default_factory=dict)

    def get(self, key: str) -> object:
        """The value as it is, or its default, or None."""
        return self.values.get(key, self.defaults.get(key))

    def whole(self, key: str, *, least: int = 1, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self.get(key)
        if type(value) is not int or not least <= value <= most:
            self.refuse(key, f"a whole number from {least:,} to {most:,}")
        return value

    def whole_or_none(self, key: str, *, most: int) -> int | None:
        """A whole number up to `most`; null and 0 both mean none."""
        return self.whole(key, least=0, most=most) or None if self.get(key) is not None else None

    def number(self, key: str, *, above: float = 0.0, most: float) -> float:
        """A number above `above` and at most `most`."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
            self.refuse(key, f"a number above {above:g} and at most {most:g}")
        return float(value)

    def number_or_none(self, key: str, *, most: float) -> float | None:
        """A positive number up to `most`; null and 0 both mean none."""
        return self.number(key, most=most) if self.get(key) not in (None, 0) or self.get(key) is False else None

    def flag(self, key: str) -> bool:
        """True or false; null counts as false."""
        value = self.get(key)
        if value is not None and type(value) is not bool:
            self.refuse(key, "true or false")
        return bool(value)

    def word(self, key: str, *allowed: str) -> str:
        """One of the allowed words."""
        value = self.get(key)
        if not isinstance(value, str) or value not in allowed:
            self.refuse(key, " or ".join(allowed))
        return value

    def refuse(self, key: str, allowed: str) -> NoReturn:
        """Raise the Problem about one key."""
        if key not in self.values:
            raise Problem(f"{self.where} has no {key}; it must be {allowed}.")
        raise Problem(f"{self.where} has {key} = {ascii(self.values[key])[:60]}; it must be {allowed}.")
