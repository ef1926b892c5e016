"""One training run: steps, log, and a state file from which it continues as if it had never stopped."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from model.config import ModelConfig
from model.network.rope import RotaryTable
from model.network.weights import bind
from model.training import parameters
from model.training.balance import mean_balance
from model.training.batches import Batch, Batches
from model.training.cross_entropy import head_cross_entropy
from model.training.forward import hidden
from model.training.optimisers import THREADS, Optimisers
from model.training.recipe import Recipe
from model.training.schedule import Schedule, total_tokens

SAVE_EVERY_SECONDS = 180
LOG_EVERY_STEPS = 20

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """How far a run is. Pauses of the process count as wall time but not as processor time."""

    step: int = 0
    tokens: int = 0
    wall_seconds: float = 0.0
    processor_seconds: float = 0.0


class Losses(NamedTuple):
    """Means over a batch: cross entropy in nats per token; balance losses with alphas, summed over layers."""

    cross_entropy: float
    balance: float


class Run:
    """The weights, their optimisers and the threads that train them."""

    def __init__(self, config: ModelConfig, recipe: Recipe, batches: Batches, *, folder: Path) -> None:
        assert config.router is not None, "the balance losses need routed experts"
        self.config, self.recipe, self.router = config, recipe, config.router
        self.progress = Progress()
        self.masters = parameters.initial(config, seed=recipe.seed)
        self.folder = folder
        self._stopping = False
        self._recent: list[Losses] = []
        self._batches = batches
        self._optimisers = Optimisers(self.masters, recipe)
        self._rotations = RotaryTable(config.rope, config.qk_rope_head_dim, torch.device("cpu"))
        # One thread a micro-batch: they meet once a step, not once an operation.
        self._workers = ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,))

    def train(self, schedule: Schedule) -> None:
        """Step until the schedule's end, which the file `total_tokens` of the run's folder may move, or `stop`."""
        saved = time.monotonic()
        while not self._stopping:
            schedule = replace(schedule, total=total_tokens(self.folder / "total_tokens", schedule.total))
            if self.progress.tokens >= schedule.total:
                break
            self._timed_step(schedule)
            if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def stop(self) -> None:
        """End after the step under way; the state is saved."""
        self._stopping = True

    def save(self) -> None:
        """Replace the state file in one move."""
        state = {
            "masters": self.masters,
            "optimisers": self._optimisers.state(),
            "progress": [self.progress.step, self.progress.tokens],
            "seconds": [self.progress.wall_seconds, self.progress.processor_seconds],
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def resume(self) -> None:
        """Take everything from the state file."""
        state = _read_state(self.folder)
        for name, tensor in state["masters"].items():
            self.masters[name].copy_(tensor)
        self._optimisers.restore(state["optimisers"])
        self.progress = Progress(*state["progress"], *state["seconds"])

    def step(self, schedule: Schedule) -> Losses:
        """One update from one batch."""
        recipe, progress = self.recipe, self.progress
        long = schedule.ends(progress.tokens) and progress.step % 2 == 0
        length = recipe.long_sequence_length if long else recipe.sequence_length
        batch = self._batches.draw(progress.step, tokens=recipe.batch_tokens, length=length)
        copies = parameters.working_copies(self.masters, torch.bfloat16)
        answers = list(self._workers.map(lambda part: self._gradients(copies, part), batch.parts(recipe.micro_batches)))
        for name, *grads in zip(copies, *(grads for grads, _ in answers), strict=True):
            self.masters[name].grad = torch.stack([grad.float() for grad in grads]).mean(dim=0)
        torch.nn.utils.clip_grad_norm_(list(self.masters.values()), recipe.clip_norm)
        self._optimisers.step(schedule.rate(progress.tokens), self._workers)
        progress.step += 1
        progress.tokens += len(batch.ids_T)
        return Losses(*(sum(column) / len(answers) for column in zip(*(losses for _, losses in answers), strict=True)))

    def _gradients(self, copies: dict[str, Tensor], batch: Batch) -> tuple[tuple[Tensor, ...], Losses]:
        weights = bind(self.config, copies)
        length = len(batch.ids_T) // batch.sequences
        rotation_TR = self._rotations.rows(0, length, length=length).repeat(batch.sequences, 1)
        x_TD, routings = hidden(self.config, weights, batch.ids_T, rotation_TR, sequences=batch.sequences)
        cross_entropy = head_cross_entropy(x_TD, weights.head.weight, batch.targets_T)
        terms = [self._balance(routing.scores_TE, routing.ids_TA, batch.sequences) for routing in routings]
        balance = torch.stack(terms).sum()
        grads = torch.autograd.grad(cross_entropy + balance, list(copies.values()))
        return grads, Losses(cross_entropy.item(), balance.item())

    def _balance(self, scores_TE: Tensor, ids_TA: Tensor, sequences: int) -> Tensor:
        router, recipe = self.router, self.recipe
        expert, device, communication = mean_balance(
            scores_TE, ids_TA, sequences=sequences, devices=router.groups, devices_per_token=router.groups_per_token
        )
        return (
            recipe.expert_balance * expert
            + recipe.device_balance * device
            + recipe.communication_balance * communication
        )

    def _timed_step(self, schedule: Schedule) -> None:
        progress, wall, processor = self.progress, time.monotonic(), time.process_time()
        self._recent.append(self.step(schedule))
        seconds = time.monotonic() - wall
        progress.wall_seconds += seconds
        progress.processor_seconds += time.process_time() - processor
        if progress.step % LOG_EVERY_STEPS == 0:
            cross_entropy, balance = (sum(column) / len(self._recent) for column in zip(*self._recent, strict=True))
            self._recent.clear()
            logger.info(
                "step %d tokens %d loss %.4f balance %.4f rate %.3f seconds %.0f speed %.0f",
                *(progress.step, progress.tokens, cross_entropy, balance),
                *(schedule.rate(progress.tokens), progress.wall_seconds, self.recipe.batch_tokens / seconds),
            )


def load_state(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """The float32 weights of a run's state file, and how far it was."""
    state = _read_state(folder)
    return state["masters"], Progress(*state["progress"], *state["seconds"])


def _read_state(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=True)
    return state
