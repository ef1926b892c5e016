"""From a checkpoint's `config.json` to one ModelConfig: which family, and what its keys mean.

Missing keys take the defaults of transformers' config classes, and the same keys have no effect
here that have none there. Keys that no family knows are ignored; nothing they name is ever run.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from model.checkpoint.families import (
    axk1,
    deepseek_v2,
    deepseek_v3,
    deepseek_v32,
    glm4_moe,
    glm4_moe_lite,
    glm_moe_dsa,
    kimi_k25,
    longcat_flash,
    minicpm3,
    mistral3,
    mistral4,
    text_part,
    youtu,
)
from model.checkpoint.families.keys import Keys
from model.config import DtypeName, ModelConfig
from model.problems import Problem


def same_name(stored: str) -> str | None:
    """The names of most families are those of `model.shapes`."""
    return stored


def same_config(config: ModelConfig, _stored: Container[str | None]) -> ModelConfig:
    """The config of most families says everything."""
    return config


class Family(NamedTuple):
    """How one `model_type` is read: `canonical` and `settle` as in Parsed; `nested` holds the text part's config."""

    parse: Callable[[Keys, list[str]], ModelConfig]
    canonical: Callable[[str], str | None] = same_name
    settle: Callable[[ModelConfig, Container[str | None]], ModelConfig] = same_config
    nested: str | None = None


class Parsed(NamedTuple):
    """What the config says, which dtype it names (None: none), and what a person should know about it.

    `canonical` turns a tensor's name in the files into its name in `model.shapes`; None: the family has that
    tensor for something that is not modelled here (vision, an indexer), which the notes tell. `settle` adapts
    the config to the canonical names that are stored, where a config leaves something open.
    """

    config: ModelConfig
    dtype: DtypeName | None
    notes: list[str]
    canonical: Callable[[str], str | None] = same_name
    settle: Callable[[ModelConfig, Container[str | None]], ModelConfig] = same_config


FAMILIES: dict[str, Family] = {
    "deepseek_v2": Family(deepseek_v2.parse),
    "deepseek_v3": Family(deepseek_v3.parse),
    "kimi_k2": Family(deepseek_v3.parse),  # the same mathematics under another name
    "kimi_k25": Family(kimi_k25.parse, text_part.canonical, nested=text_part.TEXT),
    "deepseek_v32": Family(deepseek_v32.parse, deepseek_v32.canonical),
    "glm_moe_dsa": Family(glm_moe_dsa.parse, deepseek_v32.canonical),
    "glm4_moe": Family(glm4_moe.parse),
    "glm4_moe_lite": Family(glm4_moe_lite.parse),
    "longcat_flash": Family(longcat_flash.parse, longcat_flash.canonical),
    "mistral4": Family(mistral4.parse),
    "mistral3": Family(mistral3.parse, text_part.canonical, nested=text_part.TEXT),
    "axk1": Family(axk1.parse, settle=axk1.settle),
    "minicpm3": Family(minicpm3.parse),
    "youtu": Family(youtu.parse),
}
# MLA families that do something else besides, so that ignoring it would compute nonsense.
_NOT_MODELLED = {
    "axk2": "gated norms and output gates",
    "bailing_hybrid": "linear attention layers",
    "dots3_note": "shared experts of another width and window attention",
    "glm5_next": "hyper-connections and linear attention layers",
    "hy_v4": "hyper-connections and attention sinks",
    "kimi_linear": "linear attention layers",
    "mistral_large4": "keys shared between layers",
}
# The same, by the keys that tell of it in a config of a family that is known.
_UNSUPPORTED_KEYS = {
    "final_logit_softcapping": "soft caps on logits",
    "gated_norm_rank": "gated norms",
    "hc_mult": "hyper-connections",
    "index_kpool": "pooled indexer keys",
    "kv_source_layers": "keys shared between layers",
    "linear_attn_config": "linear attention layers",
    "linear_num_heads": "linear attention layers",
    "no_rope_layers": "layers without RoPE",
    "sliding_window": "window attention",
    "swiglu_limit": "clipped activations",
}
_DTYPES: dict[str, DtypeName] = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
_CODE_KEYS = ("auto_map", "_attn_implementation_internal")
_OUTER = ("dtype", "torch_dtype", "quantization_config", *_CODE_KEYS)
_OUTER_WINS = ("bos_token_id", "eos_token_id", "tie_word_embeddings")


def parse_config(values: Mapping[str, object], path: Path) -> Parsed:
    """Read the keys of the `config.json` at `path`. Raises Problem naming key, value and what is allowed."""
    keys, notes = Keys(values, str(path)), list[str]()
    family = _family(keys)
    if family.nested is not None:
        keys = _nested(keys, family.nested)
    if keys.get("hidden_act") not in (None, "silu", "swish"):
        keys.refuse("hidden_act", "silu")
    for key, what in _UNSUPPORTED_KEYS.items():
        if keys.get(key):
            raise Problem(f"{keys.where} has {key}: {what} are not modelled yet; {_supported()}.")
    ignored = [key for key in _CODE_KEYS if keys.get(key) is not None]
    notes += [f"{key} in config.json is ignored: no code from a checkpoint is run." for key in ignored]
    config = family.parse(keys, notes)
    return Parsed(config, _dtype(keys, notes), notes, family.canonical, family.settle)


def _family(keys: Keys) -> Family:
    model_type = keys.get("model_type")
    if isinstance(model_type, str) and model_type in FAMILIES:
        return FAMILIES[model_type]
    what = _NOT_MODELLED.get(model_type) if isinstance(model_type, str) else None
    reason = f"whose {what} are not modelled yet" if what else "which is not supported"
    raise Problem(f"{keys.where} has model_type {ascii(model_type)[:60]}, {reason}; {_supported()}.")


def _supported() -> str:
    return f"supported: {', '.join(FAMILIES)}"


def _nested(keys: Keys, name: str) -> Keys:
    """The text part's keys, with what the whole config says for it."""
    text = keys.get(name)
    if not isinstance(text, dict):
        keys.refuse(name, "an object with the text part's config")
    outer = {key: value for key in _OUTER if (value := keys.get(key)) is not None}
    wins = {key: value for key in _OUTER_WINS if (value := keys.get(key)) is not None}
    return replace(keys, values={**outer, **text, **wins}, where=f"{name} in {keys.where}")


def _dtype(keys: Keys, notes: list[str]) -> DtypeName | None:
    name = keys.values.get("dtype") or keys.values.get("torch_dtype")
    if name is None:
        return None
    dtype = _DTYPES.get(str(name).removeprefix("torch."))
    if dtype is None:
        notes.append(f"dtype {ascii(name)[:40]} in config.json is not one to run in; the stored one is used.")
    return dtype
