"""Every strategy gives the outputs, losses and gradients of the plain computation."""

import pytest
import torch
from equivalence import Scene, check_strategy, scenes
from hypothesis import given, settings

from cotracker_pipeline.config import Strategy

STRATEGIES = {
    "attention": {"attention": "fused"},
    "correlation": {"correlation": "local"},
    "encoder-chunk": {"encoder_chunk": 2},
    "encoder-chunk-recomputed": {"encoder_chunk": 3, "checkpoint": ("encoder",), "correlation": "local"},
    "skip": {"skip_unused": True},
    "skip-fused": {"skip_unused": True, "attention": "fused"},
    "transformer": {"checkpoint": ("transformer",)},
    "iteration": {"checkpoint": ("iteration",)},
    "block": {"checkpoint": ("block",)},
    "stage": {"checkpoint": ("stage",)},
    "hidden": {"checkpoint": ("hidden",)},
    "gelu": {"checkpoint": ("gelu",)},
    "nested": {"checkpoint": ("encoder", "iteration", "transformer", "block", "stage", "hidden")},
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_changes_nothing(name, dtype):
    scene = Scene(query_frames=((0, 3, 0, 6, 5), (4, 4, 6, 6, 5)))
    check_strategy(scene, Strategy(**STRATEGIES[name]), dtype)


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(scene=scenes())
def test_whatever_is_tracked(name, scene):
    check_strategy(scene, Strategy(**STRATEGIES[name]))
