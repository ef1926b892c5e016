"""Damaged `config.json`: cases 21 to 24, each with what the refusal must say."""

from tests.bad.make import Bad, of_case, with_config, with_config_text
from tests.bad.weights import DEEP
from tests.model.checkpoint.sample import write_sample

LONG = "1" * 5000

TEXTS = of_case(
    21,
    {
        "no config": Bad(lambda folder: (write_sample(folder) / "config.json").unlink(), "has no config.json"),
        "config of 2 MB": Bad(with_config(comment="x" * 2 * 10**6), "larger than 1,000,000 bytes"),
        "config with a key twice": Bad(
            with_config_text(lambda text: text[:-1] + ', "hidden_size": 32}'), "'hidden_size' appears twice"
        ),
        "config with NaN": Bad(with_config_text(lambda text: text[:-1] + ', "x": NaN}'), "NaN is not a JSON number"),
        "config with Infinity": Bad(with_config_text(lambda text: text[:-1] + ', "x": -Infinity}'), "-Infinity is not"),
        "config with 1e999": Bad(with_config_text(lambda text: text[:-1] + ', "x": 1e999}'), "1e999 is too large"),
        "config with 5,000 digits": Bad(
            with_config_text(lambda text: text[:-1] + f', "x": {LONG}}}'), "not valid JSON"
        ),
        "config nested": Bad(with_config_text(lambda text: text[:-1] + f', "x": {DEEP}}}'), "nested too deeply"),
        "config an array": Bad(with_config_text(lambda _: "[]"), "does not hold a JSON object"),
        "config empty": Bad(with_config_text(lambda _: ""), "not valid JSON"),
        "config a web page": Bad(with_config_text(lambda _: "<html>404</html>"), "not valid JSON"),
    },
)
VALUES = {
    **of_case(
        22,
        {
            f"{key} = {value!a}": Bad(with_config(**{key: value}), key)
            for key, value in (
                ("num_hidden_layers", 0),
                ("num_hidden_layers", 10**9),
                ("num_hidden_layers", -1),
                ("num_attention_heads", 3),
                ("num_attention_heads", 0),
                ("vocab_size", 0),
                ("vocab_size", 2**63),
                ("kv_lora_rank", 0),
                ("kv_lora_rank", 10**12),
                ("q_lora_rank", -1),
                ("v_head_dim", 0),
                ("moe_intermediate_size", 0),
                ("max_position_embeddings", 0),
                ("qk_rope_head_dim", 5),
                ("qk_rope_head_dim", 0),
                ("num_experts_per_tok", 5),
                ("num_experts_per_tok", 0),
                ("n_routed_experts", 10**6),
                ("n_group", 3),
                ("topk_group", 3),
                ("rms_norm_eps", 0),
                ("rope_theta", -1),
                ("first_k_dense_replace", -1),
                ("topk_method", "noaux_tc"),
            )
        },
    ),
    **of_case(
        22,
        {
            f"YaRN {changes}": Bad(with_config(rope_scaling={"type": "yarn", "factor": 4.0} | changes), key)
            for key, changes in (
                ("factor", {"factor": 0}),
                ("factor", {"factor": -1}),
                ("factor", {"factor": 10**300}),
                ("beta_fast", {"beta_fast": -1}),
                ("mscale", {"mscale": -1}),
                ("original_max_position_embeddings", {"original_max_position_embeddings": 0}),
                ("partial_rotary_factor", {"partial_rotary_factor": 0.5}),
                ("type", {"type": "nonsense"}),
                ("factor", {"factor": "40"}),
                ("mscale_all_dim", {"mscale_all_dim": True}),
            )
        },
    ),
    **of_case(
        22,
        {
            "YaRN without a factor": Bad(with_config(rope_scaling={"type": "yarn"}), "has no factor"),
            "factor Infinity": Bad(
                with_config_text(
                    lambda text: text.replace(
                        '"rope_scaling": null', '"rope_scaling": {"type": "yarn", "factor": Infinity}'
                    )
                ),
                "Infinity is not a JSON number",
            ),
            "more experts per token than the groups hold": Bad(
                with_config(num_experts_per_tok=3), "topk_group = 1; it must be enough groups of 2 experts"
            ),
        },
    ),
    **of_case(
        23,
        {
            f"{key} = {value!a}": Bad(with_config(**{key: value}), key)
            for key, value in (
                ("num_hidden_layers", "2"),
                ("num_hidden_layers", True),
                ("hidden_size", None),
                ("hidden_size", 16.0),
                ("hidden_size", [16]),
                ("num_experts_per_tok", None),
                ("n_group", None),
                ("routed_scaling_factor", "1"),
                ("rope_theta", "10000"),
                ("rope_scaling", "yarn"),
                ("hidden_act", "gelu"),
                ("eos_token_id", "</s>"),
                ("eos_token_id", [1, None]),
                ("mlp_layer_types", ["dense"]),
                ("mlp_layer_types", ["dense", "spars"]),
                ("attention_bias", "no"),
                ("tie_word_embeddings", 1),
            )
        },
    ),
}
FAMILIES = of_case(
    24,
    {
        "unknown model_type": Bad(with_config(model_type="llama"), "which is not supported; supported: "),
        "no model_type": Bad(with_config(model_type=None), "model_type None"),
        "model_type a list": Bad(with_config(model_type=["deepseek_v2"]), "model_type ['deepseek_v2']"),
        "unknown quantisation": Bad(with_config(quantization_config={"quant_method": "awq"}), "quant"),
    },
)

BAD_CONFIGS: dict[str, Bad] = TEXTS | VALUES | FAMILIES
