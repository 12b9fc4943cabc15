"""Steps whose loss or gradient is not finite: they end a training, or are left out."""

from dataclasses import dataclass, field
from typing import Literal

from cotracker_pipeline.command import say_once
from cotracker_pipeline.errors import UserError

#: So many in a row are no accident.
MOST_IN_A_ROW = 10


class NotFinite(UserError):
    """The loss of a step or its gradient is not finite; nothing was updated."""


@dataclass
class NotFiniteSteps:
    """What becomes of such steps.

    Args:
        answer: ``stop`` the training at the first, or ``skip`` them.
        skipped: numbers of the steps that were left out, counted from 1.
    """

    answer: Literal["stop", "skip"] = "stop"
    skipped: list[int] = field(default_factory=list)

    def meet(self, step: int, clips: str) -> None:
        """Leave out step number ``step`` of these ``clips``.

        Raises:
            NotFinite: when it is not to be left out, or too many before it were.
        """
        if self.answer == "stop":
            raise NotFinite(
                f"the loss or its gradient is not finite at step {step}, of {clips}; "
                "lower recipe.learning_rate, mend these data, or set training.on_nan to skip"
            )
        self.skipped.append(step)
        if self.skipped[-MOST_IN_A_ROW:] == list(range(step - MOST_IN_A_ROW + 1, step + 1)):
            raise NotFinite(
                f"the loss or its gradient was not finite in {MOST_IN_A_ROW} steps in a row, the last of "
                f"them step {step}, of {clips}; lower recipe.learning_rate"
            )
        told = f"{len(self.skipped)} so far"
        say_once(f"warning: step {step}, of {clips}, is skipped as its loss is not finite ({told})")
