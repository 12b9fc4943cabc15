"""The training loop: one optimiser step after another, with a record and a state to continue from."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.data.clips import Sample
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.training.counting import counted, replayed
from cotracker_pipeline.training.distributed import ALONE, Team
from cotracker_pipeline.training.host_memory import raise_if_host_is_full
from cotracker_pipeline.training.losses import LossTerms, Total
from cotracker_pipeline.training.not_finite import NotFiniteSteps
from cotracker_pipeline.training.objective import training_loss
from cotracker_pipeline.training.optimisation import claim_step, make_optimiser
from cotracker_pipeline.training.queries import sample_training_queries, without_nonsense
from cotracker_pipeline.training.random_state import random_state, restore_random_state


class LossRow(NamedTuple):
    """One row of the loss curve: means over the steps since the row before.

    ``seconds`` are those of a step with its data, without what comes after it (``after_step``). The loss of
    confidence is 0 for a model without.
    """

    step: int
    loss: float
    coordinate_loss: float
    visibility_loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    confidence_loss: float = 0.0


class Part(NamedTuple):
    """What is computed at once: samples, their queries (B, N, 3), and what their loss is to count.

    ``counts`` (n,) are those of the whole batch, in order; None for a batch that is not divided.
    """

    samples: Sample
    queries: Tensor
    counts: Tensor | None


class Attempt(NamedTuple):
    """How a forward and backward pass ended, and its losses; added up over parts and processes."""

    out_of_memory: float = 0
    not_finite: float = 0
    loss: float = 0
    coordinate_loss: float = 0
    visibility_loss: float = 0
    confidence_loss: float = 0


@dataclass
class Training:
    """A model in training.

    Args:
        model: a tracker, on the device that it is trained on.
        recipe: steps, losses and optimiser.
        seed: of the random queries.
        strategy: how the optimiser updates.
        leaner: strategies of less memory, one after the other: when memory runs out, the step is repeated
            with the next one, and training goes on with it.
        rebuild: the model with the very same parameters, computed by another strategy.
        not_finite: what becomes of steps whose loss or gradient is not finite.
        team: the processes that train it together, each by a ``Training`` of its own.
        accumulate: parts that this process computes of a batch, one after the other.
    """

    model: Tracker
    recipe: Recipe
    seed: int
    strategy: Strategy = Strategy()  # noqa: RUF009  immutable
    leaner: Iterator[Strategy] = field(default_factory=lambda: iter(()))
    rebuild: Callable[[Tracker, Strategy], Tracker] = lambda model, _: model
    not_finite: NotFiniteSteps = field(default_factory=NotFiniteSteps)
    team: Team = ALONE
    accumulate: int = 1
    step: int = 0
    rungs_left_behind: int = 0
    curve: list[LossRow] = field(default_factory=list)
    #: the steps since the last row of the curve: all its columns but the step
    record: list[tuple[float, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.optimiser, self.schedule = make_optimiser(self.model, self.recipe, self.strategy)

    def run(
        self,
        batches: Iterator[Sample],
        log_every: int,
        after_step: Callable[[], None],
        progress: Callable[[LossRow], None],
        clips: Callable[[int], str] = lambda _: "unknown clips",
    ) -> None:
        """Train to the recipe's last step.

        Args:
            batches: for each step that is left, the parts that this process computes of its batch.
            log_every: steps between rows of the loss curve.
            after_step: keeps the state, for example; may end the training by an exception.
            progress: told every row.
            clips: names those of a step, which is counted from 0.

        Raises:
            UserError: when the loss is not finite and such a step may not be skipped, or memory runs out and
                no model is leaner. Then no step is half done.
            MemoryError: when that of the machine runs out.
        """
        self.model.train()
        since = time.perf_counter()
        for batch in self.team.each(_groups(batches, self.accumulate)):
            terms = self._terms(batch)
            if terms is None:
                self.not_finite.meet(self.step + 1, clips(self.step))
                # the rate falls to its end all the same
                self.schedule.step()
            if terms is not None:
                self.record.append((*terms, time.perf_counter() - since))
            self.step += 1
            if self.record and (self.step % log_every == 0 or self.step == self.recipe.steps):
                self._log(progress)
            after_step()
            since = time.perf_counter()

    def state(self) -> dict[str, Any]:
        """Everything that ``restore`` needs."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "rungs_left_behind": self.rungs_left_behind,
            "skipped": list(self.not_finite.skipped),
            "curve": [tuple(row) for row in self.curve],
            "record": list(self.record),
            "random": random_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        while self.rungs_left_behind < state["rungs_left_behind"]:
            self._become_leaner()
        self.not_finite.skipped = list(state["skipped"])
        self.curve = [LossRow(*row) for row in state["curve"]]
        self.record = list(state["record"])
        restore_random_state(state["random"])

    def _terms(self, batch: list[Sample]) -> tuple[float, ...] | None:
        """What a step has to tell; None when it is not finite, and then nothing was updated."""
        parts = self._parts(batch)
        while (done := self._together(parts)).out_of_memory:
            self._become_leaner()
        try:
            return self._update(done)
        except FloatingPointError:
            self.optimiser.zero_grad(set_to_none=True)
            return None

    def _together(self, parts: list[Part]) -> Attempt:
        """An attempt of all processes: what happened to one of them is known to all."""
        attempt = self.team.together(lambda: self._attempt(parts))
        return Attempt(*self.team.total(torch.tensor(attempt, dtype=torch.float64)).tolist())

    def _attempt(self, parts: list[Part]) -> Attempt:
        """The gradients of this process; when memory ran out, only they have changed."""
        try:
            return self._passes(parts)
        except torch.OutOfMemoryError:
            return Attempt(out_of_memory=1)
        except FloatingPointError:
            return Attempt(not_finite=1)
        except RuntimeError as error:
            raise_if_host_is_full(error)
            raise

    def _become_leaner(self) -> None:
        # the error is gone by now, and with it what it kept of the step
        self.optimiser.zero_grad(set_to_none=True)
        strategy = next(self.leaner, None)
        if strategy is None:
            raise UserError(
                f"memory ran out at step {self.step + 1}, and no strategy is leaner; lower recipe.tracks or "
                "training.clip, or take a larger card"
            )
        self.model = self.rebuild(self.model, strategy)
        if strategy.optimiser != self.strategy.optimiser:
            states = self.optimiser.state_dict(), self.schedule.state_dict()
            self.optimiser, self.schedule = make_optimiser(self.model, self.recipe, strategy)
            self.optimiser.load_state_dict(states[0])
            self.schedule.load_state_dict(states[1])
        self.strategy = strategy
        self.rungs_left_behind += 1
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _passes(self, parts: list[Part]) -> Attempt:
        """Forward and backward, part by part: gradients add up."""
        self.optimiser.zero_grad(set_to_none=True)
        losses = torch.zeros(4, dtype=torch.float64)
        for part in parts:
            terms = self._loss(part)
            # before the backward pass: sampling at positions that are not finite crashes it
            _check_finite(terms.total)
            terms.total.backward()
            values = [0.0 if term is None else term.item() for term in terms]
            losses += torch.tensor(values, dtype=torch.float64)
        claim_step(self.optimiser)
        return Attempt(0, 0, *losses.tolist())

    def _update(self, done: Attempt) -> tuple[float, ...]:
        """Loss, coordinate, visibility and confidence loss, gradient norm and learning rate of one step.

        Raises:
            FloatingPointError: when loss or gradient is not finite; nothing was updated.
        """
        if done.not_finite:
            raise FloatingPointError
        learning_rate = self.schedule.get_last_lr()[0]
        self.team.add_gradients(self.model.parameters())
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_clip)
        _check_finite(norm)
        self.optimiser.step()
        self.schedule.step()
        return (*done[2:], norm.item(), float(learning_rate))

    def _parts(self, batch: list[Sample]) -> list[Part]:
        """``batch`` with what depends on the whole batch, of which it may be only a part."""
        division = Division(
            sum(len(each.video) for each in batch) * self.team.size,
            self.team.size,
            self.team.rank,
            self.accumulate,
        )
        parts = [self._part(samples, division, number) for number, samples in enumerate(batch)]
        if division.parts == 1:
            return parts
        counts = torch.stack([self._counts(part) for part in parts]).sum(dim=0)
        counts = self.team.total(counts)
        return [part._replace(counts=counts) for part in parts]

    def _part(self, samples: Sample, division: Division, number: int) -> Part:
        """``samples`` and their queries; a sample without sense counts for nothing."""
        queries = self._queries(samples, division, number)
        queries, trajectory, valid = without_nonsense(queries, samples.trajectory, samples.valid)
        return Part(samples._replace(trajectory=trajectory, valid=valid), queries, None)

    def _queries(self, samples: Sample, division: Division, part: int) -> Tensor:
        # the step names the random numbers, so that a continued training draws the same ones
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        return sample_training_queries(
            samples.trajectory,
            samples.visibility,
            generator,
            self.recipe.query_sampling,
            division.batch_size,
            division.place(part),
        )

    def _counts(self, part: Part) -> Tensor:
        """(n,) what the loss of a part counts of itself, which no prediction changes."""
        samples, queries, _ = part
        blank = self.model.blank_predictions(queries, samples.video.shape[1], self.recipe.iterations)
        return counted(lambda total: training_loss(blank, *samples[1:], self.recipe, total))

    def _loss(self, part: Part) -> LossTerms:
        device = next(self.model.parameters()).device
        video, trajectory, visibility, valid = (each.to(device, non_blocking=True) for each in part.samples)
        queries = part.queries.to(device, non_blocking=True)
        total: Total = torch.sum if part.counts is None else replayed(part.counts.to(device))
        *_, predictions = self.model(video.float(), queries, self.recipe.iterations, is_train=True)
        return training_loss(predictions, trajectory, visibility, valid, self.recipe, total)

    def _log(self, progress: Callable[[LossRow], None]) -> None:
        loss, coordinate, visibility, confidence, norm, _, seconds = (
            sum(column) / len(self.record) for column in zip(*self.record, strict=True)
        )
        rate = self.record[-1][5]
        row = LossRow(self.step, loss, coordinate, visibility, norm, rate, seconds, confidence)
        self.curve.append(row)
        self.record = []
        progress(row)


def _groups(batches: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    """``batches``, so many at a time."""
    batches = iter(batches)
    while group := list(islice(batches, size)):
        yield group


def _check_finite(value: Tensor) -> None:
    if not torch.isfinite(value):
        raise FloatingPointError
