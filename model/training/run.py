"""One training run: steps, log, and a state file from which it continues as if it had never stopped."""

import json
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
from model.training import parameters
from model.training.ahead import Ahead
from model.training.balance import balance, corrected
from model.training.batches import Batch, Batches
from model.training.cross_entropy import head_cross_entropy
from model.training.forward import hidden
from model.training.loads import Loads
from model.training.optimisers import Optimisers
from model.training.precision import compute_dtype
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
    """Means over a batch: cross entropy in nats per token; balance losses with alphas, summed over layers; scalars."""

    cross_entropy: Tensor
    balance: Tensor


class Answer(NamedTuple):
    """What one micro-batch brings: a gradient for each leaf, and how many tokens each expert got, int64 [M, E]."""

    gradients: tuple[Tensor, ...]
    losses: Losses
    load_ME: Tensor


class Run:
    """The weights, their optimisers and what trains them: a thread per micro-batch on the CPU, or a card."""

    def __init__(
        self,
        config: ModelConfig,
        recipe: Recipe,
        batches: Batches,
        *,
        folder: Path,
        device: str = "cpu",
        workers: int = 0,
    ) -> None:
        assert config.router is not None, "the balance losses need routed experts"
        self.config, self.recipe, self.router = config, recipe, config.router
        self.device, self.dtype = torch.device(device), compute_dtype(device)
        self.progress = Progress()
        self._ahead = Ahead(batches, workers=workers)  # before any thread or card: it forks
        initial = parameters.initial(config, seed=recipe.seed)
        self.masters = {name: tensor.to(self.device) for name, tensor in initial.items()}
        self.folder = folder
        self._stopping = False
        self._recent: list[Losses] = []
        self._loads = Loads(self.router)
        self._optimisers = Optimisers(self.masters, recipe, dtype=self.dtype)
        self._copies = parameters.working_copies(self.masters, self.dtype)
        self.weights = parameters.bound(config, self._copies)
        trained = [name for name, copy in self._copies.items() if copy.requires_grad]
        self.leaves = [self._copies[name] for name in trained]
        self._trained = [self.masters[name] for name in trained]
        for master in self._trained:
            master.grad = torch.zeros_like(master)
        self.rotations = RotaryTable(config.rope, config.qk_rope_head_dim, self.device)
        # One thread a micro-batch: they meet once a step, not once an operation.
        self._workers = ThreadPoolExecutor(recipe.micro_batches, initializer=torch.set_num_threads, initargs=(1,))

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
        self._ahead.close()

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
            "device": device_name(self.device),
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def resume(self) -> None:
        """Take everything from the state file."""
        state = _read_state(self.folder, self.device)
        for name, tensor in state["masters"].items():
            self.masters[name].copy_(tensor)
        self._optimisers.restore(state["optimisers"])
        self.progress = Progress(*state["progress"], *state["seconds"])

    def step(self, schedule: Schedule) -> Losses:
        """One update from one batch."""
        recipe, progress = self.recipe, self.progress
        batch = self.drawn(schedule)
        with torch.no_grad():
            torch._foreach_copy_(list(self._copies.values()), list(self.masters.values()))
        answers = self._answers(batch)
        self._gather([answer.gradients for answer in answers])
        self.update(schedule)
        load_ME = torch.stack([answer.load_ME for answer in answers]).sum(dim=0)
        self._correct(load_ME)
        self._loads.add(load_ME)
        progress.step += 1
        progress.tokens += recipe.batch_tokens
        columns = zip(*(answer.losses for answer in answers), strict=True)
        return Losses(*(torch.stack(column).mean() for column in columns))

    def update(self, schedule: Schedule) -> None:
        """Move the masters by the gradients they hold."""
        torch.nn.utils.clip_grad_norm_(self._trained, self.recipe.clip_norm, foreach=True)
        self._optimisers.step(schedule.rate(self.progress.tokens))

    def drawn(self, schedule: Schedule) -> Batch:
        """The batch of the step that comes next."""
        recipe, progress = self.recipe, self.progress
        ending = schedule.ends(progress.tokens)
        long = ending and progress.step % 2 == 0
        length = recipe.long_sequence_length if long else recipe.sequence_length
        exercises = recipe.exercises / 3 if ending else recipe.exercises
        batch = self._ahead.draw(progress.step, tokens=recipe.batch_tokens, length=length, exercises=exercises)
        return batch.to(self.device)

    def _answers(self, batch: Batch) -> list[Answer]:
        """Micro-batches side by side on the CPU, one after the other on a card."""
        parts = batch.parts(self.recipe.micro_batches)
        if self.device.type == "cpu":
            return list(self._workers.map(self._answer, parts))
        return [self._answer(part) for part in parts]

    def _answer(self, batch: Batch) -> Answer:
        weights, length = self.weights, len(batch.ids_T) // batch.sequences
        rotation_TR = self.rotations.rows(0, length, length=length).repeat(batch.sequences, 1)
        x_TD, routings = hidden(self.config, weights, batch.ids_T, rotation_TR, sequences=batch.sequences)
        cross_entropy = head_cross_entropy(x_TD, weights.head.weight, batch.targets_T)
        balances = torch.stack([self._balance(routing.scores_TE, routing.ids_TA) for routing in routings]).sum()
        grads = torch.autograd.grad(cross_entropy + balances, self.leaves)
        experts_E = torch.arange(self.router.experts, device=self.device)
        load_ME = torch.stack([(routing.ids_TA.flatten()[:, None] == experts_E).sum(dim=0) for routing in routings])
        return Answer(grads, Losses(cross_entropy.detach(), balances.detach()), load_ME)

    def _gather(self, gradients: list[tuple[Tensor, ...]]) -> None:
        """The masters' gradients: the mean over micro-batches, in float32."""
        means = [master.grad for master in self._trained if master.grad is not None]
        torch._foreach_copy_(means, list(gradients[0]))
        for more in gradients[1:]:
            torch._foreach_add_(means, [grad.float() for grad in more])
        torch._foreach_div_(means, len(gradients))

    def _balance(self, scores_TE: Tensor, ids_TA: Tensor) -> Tensor:
        """V2's losses with their alphas; with V3's bias nothing, since the bias alone balances."""
        router, recipe = self.router, self.recipe
        if recipe.balance == "bias":
            return scores_TE.new_zeros(())
        expert, device, communication = balance(
            scores_TE, ids_TA, devices=router.groups, devices_per_token=router.groups_per_token
        )
        return (
            recipe.expert_balance * expert
            + recipe.device_balance * device
            + recipe.communication_balance * communication
        )

    def _correct(self, load_ME: Tensor) -> None:
        if self.recipe.balance != "bias":
            return
        for layer, load_E in zip(self.config.moe_layers, load_ME, strict=True):
            bias_E = self.masters[f"model.layers.{layer}.mlp.gate.e_score_correction_bias"]
            bias_E.copy_(corrected(bias_E, load_E, speed=self.recipe.bias_speed))

    def _timed_step(self, schedule: Schedule) -> None:
        progress, wall, processor = self.progress, time.monotonic(), time.process_time()
        self._recent.append(self.step(schedule))
        if progress.step % LOG_EVERY_STEPS == 0:
            self._log(schedule)
        progress.wall_seconds += time.monotonic() - wall
        progress.processor_seconds += time.process_time() - processor

    def _log(self, schedule: Schedule) -> None:
        """What happened since the last time. Only here does the program wait for a card."""
        progress = self.progress
        cross_entropy, balances = (float(torch.stack(column).mean()) for column in zip(*self._recent, strict=True))
        self._recent.clear()
        logger.info(
            "step %d tokens %d loss %.4f balance %.4f rate %.3f seconds %.0f",
            *(progress.step, progress.tokens, cross_entropy, balances),
            *(schedule.rate(progress.tokens), progress.wall_seconds),
        )
        line = {"tokens": progress.tokens, "loss": round(cross_entropy, 4), **self._loads.taken()}
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def device_name(device: torch.device) -> str:
    """What people call it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, two cores"


def trained_on(folder: Path) -> str:
    """The name of the device that the state file comes from."""
    return str(_read_state(folder, torch.device("cpu"))["device"])


def load_state(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """The float32 weights of a run's state file under their checkpoint names, and how far it was."""
    state = _read_state(folder, torch.device("cpu"))
    return parameters.separate(state["masters"]), Progress(*state["progress"], *state["seconds"])


def _read_state(folder: Path, device: torch.device) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=True, map_location=device)
    return state
