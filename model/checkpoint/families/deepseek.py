"""What the DeepSeek families share in `config.json`: widths, layers, token ids, RoPE with YaRN in both key styles."""

from model.checkpoint.families.keys import Keys
from model.config import ModelConfig, RopeConfig, RouterConfig, YarnConfig
from model.problems import Problem
from model.tensorfile import TENSOR_LIMIT

WIDTH_LIMIT = 2**20
LAYER_LIMIT = 1_000
HEAD_LIMIT = 4_096
EXPERT_LIMIT = 4_096
VOCABULARY_LIMIT = 2_000_000
POSITION_LIMIT = 2**31
_FACTOR_LIMIT = 1e6
_THETA_LIMIT = 1e15


def model_config(
    keys: Keys, *, family: str, router: RouterConfig | None, interleaved: bool, mlp_bias: bool, notes: list[str]
) -> ModelConfig:
    """Everything but the router, which each family reads by its own rules."""
    vocab_size = keys.whole("vocab_size", most=VOCABULARY_LIMIT)
    missing = keys.defaults.keys() - keys.values.keys() - {"rope_interleave"}
    if missing:
        notes.append(f"config.json lacks {', '.join(sorted(missing))}; the family's defaults are used.")
    return ModelConfig(
        family=family,
        model_type=str(keys.get("model_type")),
        vocab_size=vocab_size,
        hidden_size=keys.whole("hidden_size", most=WIDTH_LIMIT),
        layers=keys.whole("num_hidden_layers", most=LAYER_LIMIT),
        heads=keys.whole("num_attention_heads", most=HEAD_LIMIT),
        q_lora_rank=keys.whole_or_none("q_lora_rank", most=WIDTH_LIMIT),
        kv_lora_rank=keys.whole("kv_lora_rank", most=WIDTH_LIMIT),
        qk_nope_head_dim=keys.whole("qk_nope_head_dim", most=WIDTH_LIMIT),
        qk_rope_head_dim=_rotary_width(keys),
        v_head_dim=keys.whole("v_head_dim", most=WIDTH_LIMIT),
        intermediate_size=keys.whole("intermediate_size", most=WIDTH_LIMIT),
        moe_intermediate_size=keys.whole("moe_intermediate_size", most=WIDTH_LIMIT),
        shared_experts=keys.whole_or_none("n_shared_experts", most=EXPERT_LIMIT) or 0,
        moe_layers=moe_layers(keys) if router is not None else (),
        router=router,
        rope=_rope(keys, interleaved=interleaved),
        max_position_embeddings=keys.whole("max_position_embeddings", most=POSITION_LIMIT),
        rms_norm_eps=keys.number("rms_norm_eps", most=1.0),
        attention_bias=keys.flag("attention_bias"),
        mlp_bias=mlp_bias,
        tie_word_embeddings=keys.flag("tie_word_embeddings"),
        bos_token_id=next(iter(token_ids(keys, "bos_token_id", vocab_size, notes)), None),
        eos_token_ids=token_ids(keys, "eos_token_id", vocab_size, notes),
    )


def moe_layers(keys: Keys) -> tuple[int, ...]:
    """Which layers have routed experts: all behind the first dense ones, or those the config lists one by one."""
    layers = keys.whole("num_hidden_layers", most=LAYER_LIMIT)
    if not keys.whole_or_none("n_routed_experts", most=EXPERT_LIMIT):
        return ()
    kinds = keys.get("mlp_layer_types")
    if kinds is None:
        return tuple(range(keys.whole("first_k_dense_replace", least=0, most=WIDTH_LIMIT), layers))
    if not isinstance(kinds, list) or len(kinds) != layers or not all(kind in ("dense", "sparse") for kind in kinds):
        keys.refuse("mlp_layer_types", f'a list of {layers} times "dense" or "sparse"')
    return tuple(index for index, kind in enumerate(kinds) if kind == "sparse")


def experts_and_choice(keys: Keys) -> tuple[int, int]:
    """Routed experts, and how many of them each token goes to."""
    experts = keys.whole("n_routed_experts", most=EXPERT_LIMIT)
    count = len(moe_layers(keys)) * experts * 3
    if count > TENSOR_LIMIT:
        raise Problem(f"{keys.where} describes {count:,} expert tensors; at most {TENSOR_LIMIT:,} are read.")
    return experts, keys.whole("num_experts_per_tok", most=experts)


def groups_and_choice(keys: Keys, *, experts: int, chosen: int) -> tuple[int, int]:
    """Expert groups, and how many of them a token may use. Without groups: 1, 1."""
    groups = keys.whole_or_none("n_group", most=experts) or 1
    if experts % groups:
        keys.refuse("n_group", f"a divisor of n_routed_experts = {experts}")
    if groups == 1:
        return 1, 1
    allowed = keys.whole("topk_group", most=groups)
    if chosen > allowed * (experts // groups):
        keys.refuse("topk_group", f"enough groups of {experts // groups} experts to choose {chosen} from")
    return groups, allowed


def token_ids(keys: Keys, key: str, vocab_size: int, notes: list[str]) -> tuple[int, ...]:
    """One id or a list of ids; null means none, and ids that the embedding does not have are left out with a note."""
    value = keys.get(key)
    given = value if isinstance(value, list) else [] if value is None else [value]
    ids = [token for token in given if type(token) is int]
    if len(ids) < len(given):
        keys.refuse(key, "a token id or a list of token ids")
    known = tuple(token for token in ids if 0 <= token < vocab_size)
    if len(known) < len(ids):
        notes.append(f"{key} {ids} has ids that the vocabulary of {vocab_size:,} lacks; they are ignored.")
    return known


def _rotary_width(keys: Keys) -> int:
    width = keys.whole("qk_rope_head_dim", least=2, most=WIDTH_LIMIT)
    if width % 2:
        keys.refuse("qk_rope_head_dim", "an even number")
    return width


def _rope(keys: Keys, *, interleaved: bool) -> RopeConfig:
    """`rope_parameters`, or in older files `rope_scaling` beside `rope_theta`, which wins, as in transformers."""
    name = "rope_scaling" if keys.get("rope_scaling") else "rope_parameters"
    values = keys.get(name) or {}
    if not isinstance(values, dict):
        keys.refuse(name, "an object or null")
    top = {"rope_theta": keys.get("rope_theta") or 10_000.0}
    nested = Keys(values, f"{name} in {keys.where}", top)
    theta = nested.number("rope_theta", above=1.0, most=_THETA_LIMIT)
    kind = nested.get("rope_type") or nested.get("type") or "default"
    if kind not in ("default", "yarn", "deepseek_yarn"):
        nested.refuse("rope_type" if "rope_type" in values else "type", "default, yarn or deepseek_yarn")
    if nested.get("partial_rotary_factor") not in (None, 1, 1.0):
        nested.refuse("partial_rotary_factor", "1, since qk_rope_head_dim already is the rotary width")
    return RopeConfig(theta, interleaved, None if kind == "default" else _yarn(keys, nested))


def _yarn(keys: Keys, scaling: Keys) -> YarnConfig:
    longest = keys.whole("max_position_embeddings", most=POSITION_LIMIT)
    where = keys if keys.get("original_max_position_embeddings") is not None else scaling
    absent = where.get("original_max_position_embeddings") is None
    original = longest if absent else where.whole("original_max_position_embeddings", most=POSITION_LIMIT)
    return YarnConfig(
        factor=scaling.number("factor", most=_FACTOR_LIMIT)
        if "factor" not in scaling.values or scaling.get("factor") is not None
        else longest / original,
        original_max_position_embeddings=original,
        beta_fast=scaling.number_or_none("beta_fast", most=_FACTOR_LIMIT) or 32.0,
        beta_slow=scaling.number_or_none("beta_slow", most=_FACTOR_LIMIT) or 1.0,
        mscale=scaling.number_or_none("mscale", most=_FACTOR_LIMIT),
        mscale_all_dim=scaling.number_or_none("mscale_all_dim", most=_FACTOR_LIMIT),
        attention_factor=scaling.number_or_none("attention_factor", most=_FACTOR_LIMIT),
        truncate=scaling.flag("truncate") if "truncate" in scaling.values else True,
    )
