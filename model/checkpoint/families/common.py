"""What the families share in `config.json`: widths, layers, the V3 router, token ids."""

from typing import NamedTuple

from model.checkpoint.families.keys import Keys
from model.checkpoint.families.rope import POSITION_LIMIT
from model.config import LATENT_NORM_EPS, ModelConfig, RopeConfig, RouterConfig
from model.problems import Problem
from model.tensorfile import TENSOR_LIMIT

WIDTH_LIMIT = 2**20
LAYER_LIMIT = 1_000
HEAD_LIMIT = 4_096
EXPERT_LIMIT = 4_096
VOCABULARY_LIMIT = 2_000_000
_FACTOR_LIMIT = 1e6
_OFTEN_ABSENT = {"rope_interleave", "rope_theta"}


class Widths(NamedTuple):
    """What attention is made of; `kv_heads` None: latents."""

    q_lora_rank: int | None
    kv_lora_rank: int
    nope: int
    rope: int
    value: int
    kv_heads: int | None = None


def model_config(
    keys: Keys,
    notes: list[str],
    *,
    family: str,
    moe_layers: tuple[int, ...] = (),
    router: RouterConfig | None = None,
    rope: RopeConfig,
    mlp_bias: bool = False,
    widths: Widths | None = None,
) -> ModelConfig:
    """Everything that all families say in the same way; the rest is theirs to say. Raises Problem.

    Without `widths` attention is MLA, in DeepSeek's keys.
    """
    vocab_size = keys.whole("vocab_size", most=VOCABULARY_LIMIT)
    missing = keys.defaults.keys() - keys.values.keys() - _OFTEN_ABSENT
    if missing:
        notes.append(f"config.json lacks {', '.join(sorted(missing))}; the family's defaults are used.")
    epsilon = keys.number("rms_norm_eps", most=1.0)
    if epsilon != LATENT_NORM_EPS and widths is None:
        notes.append(
            f"The norms of c_q and c_kv use an epsilon of 1e-6, as in transformers; vLLM and llama.cpp use "
            f"rms_norm_eps = {epsilon:g} there too."
        )
    width = keys.whole if router is not None else keys.whole_or_none
    attention = widths or _latent_widths(keys)
    return ModelConfig(
        family=family,
        model_type=str(keys.get("model_type")),
        vocab_size=vocab_size,
        hidden_size=keys.whole("hidden_size", most=WIDTH_LIMIT),
        layers=keys.whole("num_hidden_layers", most=LAYER_LIMIT),
        heads=keys.whole("num_attention_heads", most=HEAD_LIMIT),
        q_lora_rank=attention.q_lora_rank,
        kv_lora_rank=attention.kv_lora_rank,
        qk_nope_head_dim=attention.nope,
        qk_rope_head_dim=attention.rope,
        v_head_dim=attention.value,
        kv_heads=attention.kv_heads,
        intermediate_size=keys.whole("intermediate_size", most=WIDTH_LIMIT),
        moe_intermediate_size=width("moe_intermediate_size", most=WIDTH_LIMIT) or 0,
        shared_experts=keys.whole_or_none("n_shared_experts", most=EXPERT_LIMIT) or 0,
        moe_layers=moe_layers if router is not None else (),
        router=router,
        rope=rope,
        max_position_embeddings=keys.whole("max_position_embeddings", most=POSITION_LIMIT),
        rms_norm_eps=epsilon,
        attention_bias=keys.flag("attention_bias"),
        mlp_bias=mlp_bias,
        tie_word_embeddings=keys.flag("tie_word_embeddings"),
        bos_token_id=next(iter(token_ids(keys, "bos_token_id", vocab_size, notes)), None),
        eos_token_ids=token_ids(keys, "eos_token_id", vocab_size, notes),
    )


def layers_behind(keys: Keys, notes: list[str]) -> tuple[int, ...]:
    """Every layer behind the first `first_k_dense_replace` has experts; the notes tell which keys change nothing."""
    layers = keys.whole("num_hidden_layers", most=LAYER_LIMIT)
    if not keys.whole_or_none("n_routed_experts", most=EXPERT_LIMIT):
        return ()
    result = tuple(range(keys.whole("first_k_dense_replace", least=0, most=WIDTH_LIMIT), layers))
    overruled = {"moe_layer_freq": keys.get("moe_layer_freq") not in (None, 1)}
    overruled["mlp_layer_types"] = layers_listed(keys) not in (None, result)
    notes += [
        f"{key} has no effect in this family, as in transformers: every layer behind the dense ones has experts."
        for key, differs in overruled.items()
        if differs
    ]
    return result


def layers_listed(keys: Keys) -> tuple[int, ...] | None:
    """The layers that `mlp_layer_types` calls sparse; None when the config has no such list."""
    layers = keys.whole("num_hidden_layers", most=LAYER_LIMIT)
    kinds = keys.get("mlp_layer_types")
    if kinds is None:
        return None
    if not isinstance(kinds, list) or len(kinds) != layers or not all(kind in ("dense", "sparse") for kind in kinds):
        keys.refuse("mlp_layer_types", f'a list of {layers} times "dense" or "sparse"')
    return tuple(index for index, kind in enumerate(kinds) if kind == "sparse")


def experts_and_choice(keys: Keys, moe_layers: tuple[int, ...]) -> tuple[int, int]:
    """Routed experts, and how many of them each token goes to."""
    experts = keys.whole("n_routed_experts", most=EXPERT_LIMIT)
    count = len(moe_layers) * experts * 3
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


def sigmoid_router(keys: Keys, notes: list[str], moe_layers: tuple[int, ...]) -> RouterConfig | None:
    """DeepSeek-V3's router (§2.1.2), which most later families kept; None without experts."""
    if not moe_layers:
        return None
    for key, only in (("scoring_func", "sigmoid"), ("topk_method", "noaux_tc")):
        if keys.get(key) not in (None, only):
            notes.append(f"{key} has no effect in this family: it is always {only}, as in transformers.")
    experts, chosen = experts_and_choice(keys, moe_layers)
    groups, allowed = groups_and_choice(keys, experts=experts, chosen=chosen)
    if groups > 1 and experts // groups < 2:
        keys.refuse("n_group", "small enough for two experts or more in each group")
    normalise = keys.flag("norm_topk_prob")
    if not normalise:
        notes.append(
            "norm_topk_prob is false, so expert weights are not normalised, as in transformers; "
            "DeepSeek's own inference code always normalises them."
        )
    return RouterConfig("noaux_tc", "sigmoid", experts, chosen, groups, allowed, normalise, scaling_factor(keys))


def scaling_factor(keys: Keys) -> float:
    """What expert weights are multiplied by in the end."""
    return keys.number("routed_scaling_factor", most=_FACTOR_LIMIT)


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


def _latent_widths(keys: Keys) -> Widths:
    return Widths(
        q_lora_rank=keys.whole_or_none("q_lora_rank", most=WIDTH_LIMIT),
        kv_lora_rank=keys.whole("kv_lora_rank", most=WIDTH_LIMIT),
        nope=keys.whole("qk_nope_head_dim", most=WIDTH_LIMIT),
        rope=_rotary_width(keys),
        value=keys.whole("v_head_dim", most=WIDTH_LIMIT),
    )


def _rotary_width(keys: Keys) -> int:
    width = keys.whole("qk_rope_head_dim", least=2, most=WIDTH_LIMIT)
    if width % 2:
        keys.refuse("qk_rope_head_dim", "an even number")
    return width
