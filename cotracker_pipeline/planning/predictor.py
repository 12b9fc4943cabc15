"""Predictions for a search: each case once, with progress on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tqdm import tqdm

from cotracker_pipeline.config import Card, Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory import Prediction, predict_peak_memory
from cotracker_pipeline.planning.search import Predictor


@contextmanager
def predicting(card: Card, accumulates: bool = False) -> Iterator[Predictor]:
    """A predictor for ``card`` that remembers, while a bar counts what it had to compute.

    ``accumulates``: of steps that add up gradients of several parts of a batch.
    """
    # on a terminal only: elsewhere an error must stay one line
    with tqdm(desc="predicting", unit="rung", leave=False, disable=None) as bar:

        @cache
        def predict(recipe: Recipe, strategy: Strategy, clip: Clip, model: ModelSize) -> Prediction:
            prediction = predict_peak_memory(recipe, strategy, clip, model, card, accumulates)
            bar.update()
            return prediction

        yield predict
