"""What the model writes: the first answer to each sample prompt, chosen by nobody."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer

from model.config import Sampling
from model.network.decoder import Decoder
from model.network.sampling import Sampler

PROMPTS = Path(__file__).parents[2] / "resources" / "samples.json"
TOKENS = 60
SAMPLING = Sampling(temperature=0.7, top_p=0.9, seed=0)
LANGUAGES = ("English", "中文")


def continued(decoder: Decoder, tokenizer: Tokenizer) -> list[dict[str, str]]:
    """Prompt and continuation of every English and Chinese sample prompt, in the order of the menu."""
    samples = json.loads(PROMPTS.read_text(encoding="utf-8"))["samples"]
    prompts = [sample["prompt"] for sample in samples if any(name in sample["domain"] for name in LANGUAGES)]
    return [{"prompt": prompt, "text": _continuation(decoder, tokenizer, prompt)} for prompt in prompts]


@torch.inference_mode()
def _continuation(decoder: Decoder, tokenizer: Tokenizer, prompt: str) -> str:
    cache, sampler, eos = decoder.new_cache(), Sampler(SAMPLING), decoder.config.eos_token_ids
    ids = tokenizer.encode(prompt).ids
    logits_1V = decoder.step(torch.tensor(ids), cache)
    written: list[int] = []
    while len(written) < TOKENS:
        token = sampler.choose(logits_1V[0])
        if token in eos:
            break
        written.append(token)
        logits_1V = decoder.step(torch.tensor([token]), cache, absorbed=True)
    text: str = tokenizer.decode(written)
    return text
