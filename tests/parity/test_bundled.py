"""The shipped model is an ordinary checkpoint: transformers opens it and computes the same."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load

FOLDER = Path(__file__).parents[2] / "resources" / "loupe-mini"
TEXTS = ("Once upon a time there was a king", "话说宋江听了大喜", "owl = 34\nfox = 12\nowl ?")


def test_the_shipped_model_has_transformers_logits() -> None:
    oracle = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="eager")
    decoder = load(read_checkpoint(FOLDER), dtype="float32", device=torch.device("cpu"))
    words = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    for text in TEXTS:
        ids_T = torch.tensor(words.encode(text).ids)
        with torch.inference_mode():
            expected_TV = oracle(ids_T[None]).logits[0]
            logits_TV = decoder.step(ids_T, decoder.new_cache(), logits="all")
        assert (logits_TV - expected_TV).abs().max() <= 1e-4 * expected_TV.abs().max()
        assert logits_TV.argmax(dim=-1).equal(expected_TV.argmax(dim=-1))
