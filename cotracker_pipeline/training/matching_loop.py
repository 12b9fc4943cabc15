"""The steps of the warm-up: an encoder learns which pixels of two frames are the same point."""

from typing import Any

import torch
from torch import Tensor, nn

from cotracker_pipeline.config import WarmUp
from cotracker_pipeline.data.clips import Sample
from cotracker_pipeline.models.encoder import Encoder, encode_video
from cotracker_pipeline.training.matching import matching_loss
from cotracker_pipeline.training.random_state import random_state, restore_random_state


class Matching:
    """An encoder in training, on the device that it is on.

    Attributes:
        step: optimiser steps that were taken.
    """

    def __init__(self, encoder: Encoder, settings: WarmUp) -> None:
        self.encoder = encoder
        self.matched_frames = settings.matched_frames
        self.optimiser = torch.optim.AdamW(encoder.parameters(), lr=settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.learning_rate, settings.steps
        )
        self.step = 0

    def take(self, batch: Sample) -> float:
        """One step on some frames of ``batch``; its loss.

        Raises:
            FloatingPointError: when the loss or its gradient is not finite. Then nothing has changed, random
                numbers included.
        """
        device = next(self.encoder.parameters()).device
        random = random_state()
        frames = torch.randperm(batch.video.shape[1])[: self.matched_frames]
        loss = self._loss(Sample(*(part[:, frames].to(device) for part in batch)))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if not torch.isfinite(loss + self._gradient_norm()):
            restore_random_state(random)
            raise FloatingPointError
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        return loss.item()

    def state(self) -> dict[str, Any]:
        """Everything that ``restore`` needs."""
        return {
            "encoder": self.encoder.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "random": random_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` returned."""
        self.encoder.load_state_dict(state["encoder"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        restore_random_state(state["random"])

    def _gradient_norm(self) -> Tensor:
        gradients = (parameter.grad for parameter in self.encoder.parameters())
        return nn.utils.get_total_norm([gradient for gradient in gradients if gradient is not None])

    def _loss(self, batch: Sample) -> Tensor:
        """Matching loss among the frames of each clip."""
        maps = encode_video(self.encoder, batch.video.float())
        return matching_loss(maps, batch.trajectory, batch.visibility, self.encoder.stride)
