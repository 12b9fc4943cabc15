"""A training whose model is measured every so many steps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.training.loop import Training


class ValidationRow(NamedTuple):
    """One row of the validation curve: TAP-Vid metrics, 0..1, as means over the videos."""

    step: int
    average_jaccard: float
    average_pts_within_thresh: float
    occlusion_accuracy: float


@dataclass
class ValidatedTraining:
    """``training`` and its validation curve, which are kept in one state.

    Of several processes the first one measures, and the others wait for it.

    Args:
        training: whose model is measured.
        measure: a row of the curve, from the model and the step; must leave the model as it is.
        every: steps between rows; None: none at all.
        tell: told every row.
    """

    training: Training
    measure: Callable[[Tracker, int], ValidationRow]
    every: int | None
    tell: Callable[[ValidationRow], None] = lambda _: None
    curve: list[ValidationRow] = field(default_factory=list)

    @property
    def step(self) -> int:
        """Of the training."""
        return self.training.step

    def after_step(self) -> None:
        """Measure if it is time to; before the state of this step is kept, which holds the row.

        Raises:
            UserError: as ``measure``, in all processes.
        """
        if self.every and self.step and self.step % self.every == 0:
            self._validate()

    def after_last_step(self) -> None:
        """Measure. Raises ``UserError`` as ``after_step``."""
        if self.every:
            self._validate()

    def state(self) -> dict[str, Any]:
        """Everything that ``restore`` needs."""
        return {**self.training.state(), "validation": [tuple(row) for row in self.curve]}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` returned, also that of a ``Training`` alone."""
        self.training.restore(state)
        self.curve = [ValidationRow(*row) for row in state.get("validation", [])]

    def _validate(self) -> None:
        """A row, unless there is one of this step."""
        if self.step in (row.step for row in self.curve):
            return
        row = self.training.team.from_first(lambda: self.measure(self.training.model, self.step))
        self.curve.append(row)
        self.tell(row)
