"""Tracking a video without gradients, on tensors that have values."""

import time
from typing import NamedTuple

import torch
from torch import Tensor

from cotracker_pipeline.memory.measured_step import Case, fill_places, synchronise
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.tracker import Tracker


class Tracking(NamedTuple):
    """A model, a video (B, T, 3, H, W) of noise, and queries (B, N, 3) on its first frame."""

    model: Tracker
    video: Tensor
    queries: Tensor


def real_tracking(case: Case, device: str) -> Tracking:
    """The recipe's number of tracks in a clip of the case, on ``device``, seeded."""
    torch.manual_seed(0)
    clip = case.clip
    with torch.device(device):
        model = build_model(case.model, case.recipe, case.strategy)
        video = torch.empty(clip.batch_size, clip.frames, 3, clip.height, clip.width).uniform_(0, 255)
        queries = torch.zeros(clip.batch_size, case.recipe.tracks, 3)
    fill_places(queries, clip.height, clip.width)
    return Tracking(model, video, queries)


def time_tracking(tracking: Tracking, iterations: int) -> float:
    """Track once; the seconds from an idle device to an idle device."""
    device = tracking.video.device
    synchronise(device)
    start = time.perf_counter()
    with torch.no_grad():
        tracking.model(tracking.video, tracking.queries, iterations)
    synchronise(device)
    return time.perf_counter() - start
