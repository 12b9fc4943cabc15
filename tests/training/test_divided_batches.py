"""A batch that is divided has the samples, queries, loss and gradient of the whole."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training_continues import CLIP, SIZE
from tiny_training import CLIP as SHAPE
from tiny_training import prepare

from cotracker_pipeline.config import Architecture, Augmentation, Clip, Recipe, Strategy, load_study
from cotracker_pipeline.config import Training as TrainingSettings
from cotracker_pipeline.data.clips import ClipDataset, Sample
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.data.loading import batches
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.training.loop import Training
from cotracker_pipeline.training.queries import sample_training_queries

SAMPLES = 4


def whole_batch() -> Sample:
    """Samples of which very different shares are visible and annotated."""
    random = torch.Generator().manual_seed(5)
    shape = (SAMPLES, CLIP.frames, 9)
    video = torch.randint(0, 256, (*shape[:2], 3, 32, 32), dtype=torch.uint8, generator=random)
    shares = torch.linspace(0.1, 0.9, SAMPLES)[:, None, None]
    visibility = torch.rand(shape, generator=random) < shares
    visibility[:, -1] |= ~visibility.any(dim=1)
    valid = visibility | (torch.rand(shape, generator=random) < shares)
    return Sample(video, 31 * torch.rand(*shape, 2, generator=random), visibility, valid)


def parts_of(batch: Sample, size: int) -> list[Sample]:
    return [Sample(*parts) for parts in zip(*(each.split(size) for each in batch), strict=True)]


def computed(
    recipe: Recipe, architecture: Architecture, batch: list[Sample]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The losses and the gradient of a batch in parts, each as a vector."""
    torch.manual_seed(0)
    model = build_model(SIZE.model_copy(update={"architecture": architecture}), recipe, Strategy())
    training = Training(model, recipe, 3, accumulate=len(batch))
    done = training._together(training._parts(batch))
    values = [parameter.grad.flatten() for parameter in training.model.parameters()]
    return torch.tensor(done[2:]), torch.cat(values)


RECIPES = [
    ("cotracker2", {}),
    ("cotracker2", {"loss": "published", "query_sampling": "random"}),
    ("cotracker3-online", {}),
    ("cotracker3-online", {"loss": "published"}),
    ("cotracker3-offline", {"query_sampling": "random"}),
    ("cotracker3-offline", {"only_visible": True, "position_loss": "l1"}),
]


@pytest.mark.parametrize(("architecture", "options"), RECIPES)
@pytest.mark.parametrize("accumulate", [2, 4])
def test_accumulated_losses_and_gradients_are_those_of_the_whole(architecture, options, accumulate):
    recipe = Recipe(tracks=9, iterations=2, **options)
    whole = computed(recipe, architecture, [whole_batch()])
    parts = parts_of(whole_batch(), SAMPLES // accumulate)
    divided = computed(recipe, architecture, parts)
    torch.testing.assert_close(divided[0], whole[0], rtol=1e-5, atol=1e-6)
    assert torch.linalg.norm(divided[1] - whole[1]) < 1e-5 * torch.linalg.norm(whole[1])
    # the mean of the parts' own losses is something else, as each counts its own
    own = torch.stack([computed(recipe, architecture, [part])[0] for part in parts]).mean(dim=0)
    assert abs(own[0] - whole[0][0]) > 1e-3 * whole[0][0]


def test_all_architectures_are_among_them():
    assert {architecture for architecture, _ in RECIPES} == set(get_args(Architecture))


@given(st.integers(0, 99), st.sampled_from(["first", "random"]), st.sampled_from([1, 2, 4]))
def test_each_sample_is_queried_as_in_the_whole_batch(seed, sampling, parts):
    def queries(part: Sample, **where: int) -> torch.Tensor:
        random = torch.Generator().manual_seed(seed)
        return sample_training_queries(part.trajectory, part.visibility, random, sampling, **where)

    batch, size = whole_batch(), SAMPLES // parts
    divided = [
        queries(part, samples=SAMPLES, place=size * number)
        for number, part in enumerate(parts_of(batch, size))
    ]
    assert torch.equal(torch.cat(divided), queries(batch))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_processes_share_every_sample_among_them(processes, accumulated, at_once):
    batch_size, steps = processes * accumulated * at_once, 3
    divisions = [Division(batch_size, processes, rank, accumulated) for rank in range(processes)]
    for step in range(steps):
        # in the order of the undivided batch
        read = [
            each.sample(step * each.of_process + number)
            for each in divisions
            for number in range(each.of_process)
        ]
        assert read == list(range(step * batch_size, (step + 1) * batch_size))
    places = [division.place(part) for division in divisions for part in range(accumulated)]
    assert places == list(range(0, batch_size, at_once))


@pytest.mark.parametrize("workers", [0, 1])
def test_what_processes_read_is_the_undivided_batch(tmp_path: Path, workers: int):
    prepare(tmp_path)
    shape = Clip(**{**SHAPE, "batch_size": SAMPLES})

    def read(division: Division) -> list[Sample]:
        shards = [tmp_path / "0.h5", tmp_path / "1.h5"]
        data = ClipDataset(shards, shape, 5, 7, 3 * SAMPLES, Augmentation())
        return list(batches(data, division, 1, workers, 1))

    whole = read(Division(SAMPLES))
    assert len(whole) == 2
    shares = [read(Division(SAMPLES, 2, rank, 2)) for rank in range(2)]
    for step, batch in enumerate(whole):
        parts = [part for share in shares for part in share[2 * step : 2 * step + 2]]
        for expected, *found in zip(batch, *parts, strict=True):
            assert torch.equal(torch.cat(found), expected)


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path):
    path = prepare(tmp_path, clip={**SHAPE, "batch_size": 6}, devices=2, nodes=2)
    with pytest.raises(UserError, match=r"batch_size 6 must be a multiple of devices x nodes x accumulate"):
        load_study(path)


def test_keys_that_divide_nothing_name_no_result():
    settings = TrainingSettings(devices=1, nodes=1, accumulate=1).model_dump(mode="json")
    assert not {"devices", "nodes", "accumulate"} & settings.keys()
