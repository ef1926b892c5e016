"""What the DeepSeek-V2 paper (arXiv 2405.04434) says about the same question; its numbers, not ours."""

from model.study_report import PaperRow

PAPER = [
    PaperRow(
        "Table 1",
        "KV cache per token, elements (d_h: width of a head, n_h heads, n_g groups, l layers)",
        {"mha": "2 n_h d_h l", "gqa": "2 n_g d_h l", "mqa": "2 d_h l", "mla": "(d_c + d_h^R) l ≈ 4.5 d_h l"},
    ),
    PaperRow("Table 8", "7B dense models, MMLU (GQA with 8 groups)", {"mha": "45.2", "gqa": "41.2", "mqa": "37.9"}),
    PaperRow("Table 9", "small MoE, 16B: KV elements per token", {"mha": "110.6K", "mla": "15.6K"}),
    PaperRow("Table 9", "small MoE, 16B: MMLU", {"mha": "48.7", "mla": "50.0"}),
    PaperRow("Table 9", "large MoE, 250B: KV elements per token", {"mha": "860.2K", "mla": "34.6K"}),
    PaperRow("Table 9", "large MoE, 250B: MMLU", {"mha": "57.5", "mla": "59.0"}),
]
