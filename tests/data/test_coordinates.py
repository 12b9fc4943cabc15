"""Raster pixels and pixel indices."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch.nn.functional import grid_sample

from cotracker_pipeline.data.coordinates import (
    CONVENTIONS,
    index_to_raster,
    published_to_raster,
    raster_to_index,
    raster_to_published,
)

# halves are exact in float32 up to this size
coordinates = npst.arrays(
    np.float32, npst.array_shapes(), elements=st.integers(-(2**20), 2**20).map(lambda quarter: quarter / 4)
)


@settings(max_examples=50, deadline=None)
@given(coordinates)
def test_round_trip(xy: np.ndarray) -> None:
    np.testing.assert_array_equal(raster_to_index(index_to_raster(xy)), xy)
    assert raster_to_index(xy).dtype == xy.dtype


@settings(max_examples=50, deadline=None)
@given(coordinates)
def test_tensors_agree_with_arrays(xy: np.ndarray) -> None:
    torch.testing.assert_close(raster_to_index(torch.from_numpy(xy)), torch.from_numpy(raster_to_index(xy)))
    torch.testing.assert_close(index_to_raster(torch.from_numpy(xy)), torch.from_numpy(index_to_raster(xy)))


@pytest.mark.parametrize("size", [1, 2, 7, 384])
def test_borders_of_an_image(size: int) -> None:
    """The image spans 0 to ``size`` raster pixels; its first and last centres are indices 0 and size - 1."""
    centres = np.array([0.5, size - 0.5])
    np.testing.assert_array_equal(raster_to_index(centres), [0, size - 1])


def test_index_is_what_grid_sample_reads() -> None:
    image = torch.arange(5.0).reshape(1, 1, 1, 5)
    index = raster_to_index(torch.tensor([0.5, 1.0, 3.5]))
    grid = torch.stack([2 * index / 4 - 1, torch.zeros(3)], -1).reshape(1, 1, 3, 2)
    torch.testing.assert_close(grid_sample(image, grid, align_corners=True).flatten(), index)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 2000), st.integers(2, 2000), st.floats(-1, 2), st.floats(-1, 2))
def test_published_scaling_is_that_of_cotracker(width: int, height: int, x: float, y: float) -> None:
    """A fraction of the image becomes that fraction of (W - 1, H - 1)."""
    size, fraction = np.array([width, height], float), np.array([x, y])
    published = raster_to_published(fraction * size, size)
    np.testing.assert_allclose(published, fraction * (size - 1), atol=1e-9)
    np.testing.assert_allclose(published_to_raster(published, size), fraction * size, atol=1e-9)


def test_published_scaling_is_half_a_pixel_off_at_the_borders_and_right_in_the_middle() -> None:
    raster, size = np.array([[0.0], [128.0], [256.0]]), np.array([256.0])
    off = raster_to_published(raster, size) - raster_to_index(raster)
    np.testing.assert_allclose(off[:, 0], [0.5, 0.0, -0.5])


def test_a_published_axis_of_one_pixel_is_its_centre() -> None:
    assert published_to_raster(np.zeros(1), np.ones(1)) == 0.5


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_leads_back(name: str) -> None:
    convention, size = CONVENTIONS[name], torch.tensor([64.0, 48.0])
    raster = torch.tensor([[0.0, 0.0], [12.25, 40.5], [64.0, 48.0]])
    index = convention.to_index(raster, size)
    torch.testing.assert_close(convention.to_raster(index, size), raster)
    assert torch.equal(index, raster) == (name == "unshifted")
