"""Raster pixels and pixel indices."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch.nn.functional import grid_sample

from cotracker_pipeline.data.coordinates import index_to_raster, raster_to_index

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
