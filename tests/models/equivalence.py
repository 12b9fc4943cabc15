"""A training step of one model under two strategies: outputs, losses and gradients must be equal.

The flow head starts near zero, so that positions move little: with large random motion the recurrence is
chaotic, as its sines turn by up to 968 rad per feature pixel.
"""

from dataclasses import dataclass, replace
from typing import get_args

import torch
from hypothesis import strategies as st
from torch import Tensor

from cotracker_pipeline.config import Architecture, ModelSize, Recipe, Strategy
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.training.objective import training_loss

#: Largest relative L2 deviation.
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
#: Share of the whole gradient below which a parameter's own is not told from rounding of the others.
FLOOR = {torch.float64: 1e-3, torch.float32: 1.0}


@dataclass(frozen=True)
class Scene:
    """What is tracked, and by which model.

    query_frames: of every sample; a frame behind the last one means that a track is never active.
    outside: points lie up to this many image sizes outside of the image.
    """

    frames: int = 7
    height: int = 21
    width: int = 30
    query_frames: tuple[tuple[int, ...], ...] = ((0, 3, 0, 6),)
    radius: int = 2
    levels: int = 2
    window_len: int = 4
    iterations: int = 2
    outside: float = 0.3
    use_attention_mask: bool = True
    seed: int = 0
    architecture: Architecture = "cotracker2"

    @property
    def recipe(self) -> Recipe:
        return Recipe(corr_radius=self.radius, use_attention_mask=self.use_attention_mask)

    def model(self, strategy: Strategy, dtype: torch.dtype) -> Tracker:
        torch.manual_seed(self.seed)
        size = ModelSize(
            architecture=self.architecture,
            window_len=self.window_len,
            stride=2,
            num_virtual_tracks=3,
            model_resolution=(self.height, self.width),
            corr_levels=self.levels,
            feature_dim=8,
            encoder_widths=(4, 4, 6, 8, 8),
            hidden_size=16,
            num_heads=2,
            depth=2,
        )
        return build_model(size, self.recipe, strategy).to(dtype)

    def batch(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Video, queries, trajectory, visibility and valid."""
        generator = torch.Generator().manual_seed(self.seed + 1)

        def draw(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, dtype=torch.float64)

        frames = torch.tensor(self.query_frames, dtype=torch.float64)
        batch, tracks = frames.shape
        size = torch.tensor([self.width - 1, self.height - 1])
        points = (draw(batch, tracks, 2) * (1 + 2 * self.outside) - self.outside) * size
        queries = torch.cat([frames[..., None], points], dim=-1)
        moves = draw(batch, self.frames, tracks, 2).sub(0.5).cumsum(dim=1)
        video = 255 * draw(batch, self.frames, 3, self.height, self.width)
        seen = draw(2, batch, self.frames, tracks) < 0.7
        return (video.to(dtype), queries.to(dtype), (points[:, None] + moves).to(dtype), seen[0], seen[1])


@dataclass
class Outcome:
    """coords (B, T, N, 2) and visibility, and confidence where there is one, (B, T, N), zero where they are
    not trained; the loss; gradients by name.
    """

    coords: Tensor
    visibility: Tensor
    loss: Tensor
    gradients: dict[str, Tensor]


def step(scene: Scene, strategy: Strategy, dtype: torch.dtype = torch.float64) -> Outcome:
    """One forward and backward pass."""
    model = scene.model(strategy, dtype)
    video, queries, trajectory, visibility, valid = scene.batch(dtype)
    coords, *probabilities, predictions = model(video, queries, scene.iterations, is_train=True)
    loss = training_loss(predictions, trajectory, visibility, valid, scene.recipe).total
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    mask = predictions.mask
    return Outcome(
        torch.where(mask[..., None], coords, 0).detach(),
        torch.where(mask, torch.stack(probabilities), 0).detach(),
        loss.detach(),
        {name: torch.zeros(()) if each is None else each for name, each in gradients.items()},
    )


def check_equal(actual: Outcome, expected: Outcome) -> None:
    """Assert that nothing deviates by more than rounding."""
    tolerance = TOLERANCE[expected.coords.dtype]
    for name in ("coords", "visibility", "loss"):
        found, wanted = getattr(actual, name), getattr(expected, name)
        assert found.shape == wanted.shape
        assert deviation(found, wanted) <= tolerance, name
    whole = torch.cat([each.flatten() for each in expected.gradients.values()]).norm()
    for name, wanted in expected.gradients.items():
        scale = max(wanted.norm(), FLOOR[expected.coords.dtype] * whole)
        assert (actual.gradients[name] - wanted).norm() <= tolerance * scale, name


def check_strategy(scene: Scene, strategy: Strategy, dtype: torch.dtype = torch.float64) -> None:
    """Assert that ``strategy`` gives what the plain computation gives."""
    check_equal(step(scene, strategy, dtype), step(scene, Strategy(), dtype))


def deviation(actual: Tensor, expected: Tensor) -> float:
    """Relative L2."""
    return ((actual - expected).norm() / expected.norm().clamp(min=1e-30)).item()


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Any number of tracks, frames and levels, odd sizes, points far outside, no active tracks."""
    frames = draw(st.integers(1, 9))
    tracks = draw(st.integers(1, 6))
    frame = st.integers(0, frames + 3)
    sample = st.lists(frame, min_size=tracks, max_size=tracks).map(tuple)
    scene = Scene(
        frames=frames,
        height=draw(st.integers(17, 25)),
        width=draw(st.integers(17, 25)),
        query_frames=tuple(draw(st.lists(sample, min_size=1, max_size=2))),
        radius=draw(st.integers(1, 3)),
        levels=draw(st.integers(1, 3)),
        window_len=draw(st.sampled_from([2, 4])),
        iterations=draw(st.integers(1, 3)),
        outside=draw(st.sampled_from([0.0, 0.3, 3.0])),
        use_attention_mask=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
        architecture=draw(st.sampled_from(get_args(Architecture))),
    )
    return replace(scene, levels=min(scene.levels, 2)) if min(scene.height, scene.width) < 18 else scene
