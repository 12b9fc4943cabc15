"""The accuracy of a model that is being trained, measured as ``evaluate`` measures what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cotracker_pipeline.command import say
from cotracker_pipeline.config import Evaluation, ModelSize, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.evaluation.benchmark import summarise
from cotracker_pipeline.evaluation.command import evaluation_of, shown_rows
from cotracker_pipeline.models.build import rebuild_model
from cotracker_pipeline.models.predictors import trackers_of
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.rungs import TRACKING
from cotracker_pipeline.training.validated import ValidationRow


@dataclass(frozen=True)
class Validation:
    """Measures on videos that are neither trained nor reported on.

    Args:
        shards: HDF5 shards of the videos.
        size: sizes of the models.
        recipe: what the models are trained by.
        evaluation: how to measure; of its query modes one is taken, "first" if it is among them.
    """

    shards: Sequence[Path]
    size: ModelSize
    recipe: Recipe
    evaluation: Evaluation

    def __call__(self, model: Tracker, step: int) -> ValidationRow:
        """Measure ``model`` after ``step``, and say so; weights, gradients and modes stay as they are.

        Raises:
            UserError: a shard cannot be read or has no video, or memory ran out.
        """
        try:
            row = self._row(model, step)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"memory ran out in the validation after step {step}; lower evaluation.max_tracks, or remove "
                "training.validate_every and data.validation"
            ) from error
        finally:
            if torch.cuda.is_initialized():
                # blocks of other sizes than the training's
                torch.cuda.empty_cache()
        measured = ", ".join(f"{name} {value:.4f}" for name, value in row._asdict().items() if name != "step")
        say(f"validation after step {step}: {measured}")
        return row

    def _row(self, model: Tracker, step: int) -> ValidationRow:
        # the very same weights in modules of their own, which alone become ones for evaluation
        tracking = rebuild_model(model, self.size, self.recipe, Strategy(**TRACKING))
        evaluation = self.evaluation.model_copy(update={"query_modes": (self._query_mode(),)})
        trackers = trackers_of(tracking, self.size.model_resolution, evaluation)
        rows = shown_rows(evaluation_of(trackers, self.shards, evaluation), "validation")
        means = summarise(rows)["mean"]
        return ValidationRow(step, *(float(means[name]) for name in ValidationRow._fields[1:]))

    def _query_mode(self) -> str:
        modes = self.evaluation.query_modes
        return "first" if "first" in modes else modes[0]
