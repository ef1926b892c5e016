"""Decode with a step that no graph can hold, and hold the tokens to torch's. Prints the note."""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.network.cuda_decode.graph import GraphStep, Replay, captured
from model.network.cuda_decode.static import side_by_side


def asking(run: Callable[[], Tensor], device: torch.device) -> Replay:
    """Ask the device for a number in the middle of the capture, which is not permitted."""

    def told() -> Tensor:
        logits_1V = run()
        logits_1V.sum().item()
        return logits_1V

    return captured(told, device)


@torch.inference_mode()
def main() -> None:
    decoder = load(read_checkpoint(Path(sys.argv[1])), dtype="float32", device=torch.device("cuda:0"))
    beside = side_by_side(decoder)
    assert beside is not None
    step, runs = GraphStep(decoder, beside, capture=asking), []
    for by_torch in (False, True):
        cache, tokens = decoder.new_cache(), [5]
        for _ in range(100):
            ids_T = torch.tensor(tokens[-1:], device=decoder.device)
            logits_1V = decoder.step(ids_T, cache, absorbed=True) if by_torch else step(ids_T, cache)
            tokens.append(int(logits_1V.argmax()))
        runs.append(tokens)
    sys.stdout.write(step.note + "\n")
    assert runs[0] == runs[1]


if __name__ == "__main__":
    main()
