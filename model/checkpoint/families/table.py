"""From a checkpoint's `config.json` to one ModelConfig: which family, and what its keys mean.

Missing keys take the defaults of transformers' config classes, and the same keys have no effect
here that have none there. Keys that no family knows are ignored; nothing they name is ever run.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from model.checkpoint.families import deepseek_v2, deepseek_v3
from model.checkpoint.families.keys import Keys
from model.config import DtypeName, ModelConfig
from model.problems import Problem


def same_name(stored: str) -> str | None:
    """The names of most families are those of `model.shapes`."""
    return stored


class Parsed(NamedTuple):
    """What the config says, which dtype it names (None: none), and what a person should know about it.

    `canonical` turns a tensor's name in the files into its name in `model.shapes`; None: the family has that
    tensor for something that is not modelled here (vision, an indexer), which the notes tell.
    """

    config: ModelConfig
    dtype: DtypeName | None
    notes: list[str]
    canonical: Callable[[str], str | None] = same_name


_FAMILIES: dict[str, Callable[[Keys, list[str]], ModelConfig]] = {
    "deepseek_v2": deepseek_v2.parse,
    "deepseek_v3": deepseek_v3.parse,
    "kimi_k2": deepseek_v3.parse,  # the same mathematics under another name
}
_DTYPES: dict[str, DtypeName] = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
_CODE_KEYS = ("auto_map", "_attn_implementation_internal")


def parse_config(values: Mapping[str, object], path: Path) -> Parsed:
    """Read the keys of the `config.json` at `path`. Raises Problem naming key, value and what is allowed."""
    keys, notes = Keys(values, str(path)), list[str]()
    model_type = values.get("model_type")
    if not isinstance(model_type, str) or model_type not in _FAMILIES:
        supported = ", ".join(_FAMILIES)
        raise Problem(
            f"{path} has model_type {ascii(model_type)[:60]}, which is not supported; supported: {supported}."
        )
    if keys.get("quantization_config") is not None:
        raise Problem(f"{path} has a quantization_config: FP8 and int4 weights are not supported yet; use a bf16 copy.")
    if keys.get("hidden_act") not in (None, "silu", "swish"):
        keys.refuse("hidden_act", "silu")
    ignored = [key for key in _CODE_KEYS if keys.get(key) is not None]
    notes += [f"{key} in config.json is ignored: no code from a checkpoint is run." for key in ignored]
    if keys.get("moe_layer_freq") not in (None, 1):
        notes.append("moe_layer_freq has no effect: every layer behind the dense ones has experts, as in transformers.")
    config = _FAMILIES[model_type](keys, notes)
    return Parsed(config, _dtype(keys, notes), notes)


def _dtype(keys: Keys, notes: list[str]) -> DtypeName | None:
    name = keys.values.get("dtype") or keys.values.get("torch_dtype")
    if name is None:
        return None
    dtype = _DTYPES.get(str(name).removeprefix("torch."))
    if dtype is None:
        notes.append(f"dtype {ascii(name)[:40]} in config.json is not one to run in; the stored one is used.")
    return dtype
