"""RoPE in `config.json`: plain, YaRN or LongRoPE, in `rope_parameters` or the older `rope_scaling` and `rope_theta`."""

import math

from model.checkpoint.families.keys import Keys
from model.config import LongRopeConfig, RopeConfig, YarnConfig

POSITION_LIMIT = 2**24
_FACTOR_LIMIT = 1e6
_THETA_LIMIT = 1e15
_WIDTH_LIMIT = 2**20


def rope(keys: Keys, notes: list[str], *, interleaved: bool, share: float = 1.0) -> RopeConfig:
    """How this model rotates. `share` is what `partial_rotary_factor` may say besides 1. Raises Problem."""
    scaling = settings(keys)
    theta = scaling.number("rope_theta", above=1.0, most=_THETA_LIMIT)
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind not in ("default", "yarn", "deepseek_yarn", "longrope"):
        name = "rope_type" if "rope_type" in scaling.values else "type"
        scaling.refuse(name, "default, yarn, deepseek_yarn or longrope")
    for where in (scaling, keys):
        if where.get("partial_rotary_factor") not in (None, 1, 1.0, share):
            where.refuse("partial_rotary_factor", "1, since qk_rope_head_dim already is the rotary width")
    if kind == "longrope":
        return RopeConfig(theta, interleaved, longrope=_longrope(keys, scaling))
    return RopeConfig(theta, interleaved, None if kind == "default" else _yarn(keys, scaling, notes))


def settings(keys: Keys) -> Keys:
    """The object that says it: `rope_scaling` wins, as in transformers; `rope_theta` may stand beside it."""
    name = "rope_scaling" if keys.get("rope_scaling") else "rope_parameters"
    values = keys.get(name) or {}
    if not isinstance(values, dict):
        keys.refuse(name, "an object or null")
    return Keys(values, f"{name} in {keys.where}", {"rope_theta": keys.get("rope_theta") or 10_000.0})


def original_length(keys: Keys, scaling: Keys) -> int:
    """Positions before scaling: beside the RoPE object, in it, or simply the longest."""
    where = keys if keys.get("original_max_position_embeddings") is not None else scaling
    if where.get("original_max_position_embeddings") is None:
        return keys.whole("max_position_embeddings", most=POSITION_LIMIT)
    return where.whole("original_max_position_embeddings", most=POSITION_LIMIT)


def _factor(keys: Keys, scaling: Keys, *, original: int) -> float:
    longest = keys.whole("max_position_embeddings", most=POSITION_LIMIT)
    return longest / original if scaling.get("factor") is None else scaling.number("factor", most=_FACTOR_LIMIT)


def _yarn(keys: Keys, scaling: Keys, notes: list[str]) -> YarnConfig:
    original = original_length(keys, scaling)
    if "factor" not in scaling.values:
        scaling.number("factor", most=_FACTOR_LIMIT)  # null means the ratio of both lengths, but none is an error
    yarn = YarnConfig(
        factor=_factor(keys, scaling, original=original),
        original_max_position_embeddings=original,
        beta_fast=scaling.number_or_none("beta_fast", most=_FACTOR_LIMIT) or 32.0,
        beta_slow=scaling.number_or_none("beta_slow", most=_FACTOR_LIMIT) or 1.0,
        mscale=scaling.number_or_none("mscale", most=_FACTOR_LIMIT),
        mscale_all_dim=scaling.number_or_none("mscale_all_dim", most=_FACTOR_LIMIT),
        attention_factor=scaling.number_or_none("attention_factor", most=_FACTOR_LIMIT),
        truncate=scaling.flag("truncate") if "truncate" in scaling.values else True,
    )
    if yarn.mscale not in (None, 1.0) and yarn.mscale_all_dim is None and yarn.attention_factor is None:
        notes.append(
            f"YaRN's mscale = {yarn.mscale:g} has no effect without mscale_all_dim, as in transformers; "
            "DeepSeek's own code and vLLM scale cos and sin by it."
        )
    return yarn


def _longrope(keys: Keys, scaling: Keys) -> LongRopeConfig:
    pairs = keys.whole("qk_rope_head_dim", most=_WIDTH_LIMIT) // 2
    original = original_length(keys, scaling)
    factor = _factor(keys, scaling, original=original)
    given = scaling.number_or_none("attention_factor", most=_FACTOR_LIMIT)
    derived = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 and original > 1 else 1.0
    return LongRopeConfig(
        short_factors=_divisors(scaling, "short_factor", pairs),
        long_factors=_divisors(scaling, "long_factor", pairs),
        original_max_position_embeddings=original,
        attention_factor=derived if given is None else given,
    )


def _divisors(scaling: Keys, key: str, pairs: int) -> tuple[float, ...]:
    values = scaling.get(key)
    if not isinstance(values, list) or len(values) != pairs:
        scaling.refuse(key, f"a list of {pairs} numbers, one for each rotated pair")
    numbers = Keys({f"{key}[{index}]": value for index, value in enumerate(values)}, scaling.where)
    return tuple(numbers.number(name, most=_FACTOR_LIMIT) for name in numbers.values)
