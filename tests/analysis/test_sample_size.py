"""How many seeds and videos a decision takes."""

import math

import numpy as np
import pytest

from cotracker_pipeline.analysis.sample_size import MOST_SEEDS, Spread, sample_needed, spread_of
from cotracker_pipeline.analysis.statistics import mean_interval

RANDOM = np.random.default_rng(3)


def numbers(spread: Spread, seeds: int, videos: int) -> np.ndarray:
    seed, video, rest = map(math.sqrt, spread)
    noise = RANDOM.normal(0, rest, (seeds, videos))
    return RANDOM.normal(0, seed, (seeds, 1)) + RANDOM.normal(0, video, (1, videos)) + noise


def test_the_variances_are_found_again() -> None:
    truth = Spread(1.0, 4.0, 9.0)
    found = spread_of(numbers(truth, 400, 400))
    assert found == pytest.approx(truth, rel=0.25)


def test_one_seed_shows_the_spread_of_its_videos_only() -> None:
    found = spread_of(np.array([[1.0, 2.0, 3.0]]))
    assert found == pytest.approx((0.0, 1.0, 0.0))


@pytest.mark.parametrize("spread", [Spread(1.0, 1.0, 4.0), Spread(0.0, 1.0, 1.0), Spread(1.0, 0.0, 0.1)])
def test_the_expected_width_is_that_of_the_interval(spread: Spread) -> None:
    """Over many tables of numbers; the width itself varies with their spread."""
    seeds, videos = 8, 32
    widths = [mean_interval(numbers(spread, seeds, videos)).half_width for _ in range(60)]
    assert np.mean(widths) == pytest.approx(spread.half_width(seeds, videos), rel=0.1)


def test_what_is_needed_is_narrow_enough_and_nothing_fewer_is() -> None:
    values = numbers(Spread(0.5, 1.0, 2.0), 3, 16)
    spread = spread_of(values)
    asked = 0.5
    sample = sample_needed(values, asked)
    assert sample is not None
    assert spread.half_width(*sample) < asked
    assert mean_interval(values).half_width > asked
    assert spread.half_width(sample.seeds - 1, sample.videos) > asked


def test_noise_of_seeds_asks_for_seeds_and_noise_of_videos_for_videos() -> None:
    of_seeds = sample_needed(np.repeat([[-1.0], [0.0], [1.0]], 8, axis=1), 0.5)
    of_videos = sample_needed(np.repeat([[-1.0, 0.0, 1.0, 0.5]], 3, axis=0), 0.2)
    assert of_seeds is not None
    assert of_videos is not None
    assert (of_seeds.seeds > 10, of_seeds.videos) == (True, 8)
    assert (of_videos.seeds, of_videos.videos > 20) == (3, True)


def test_what_no_number_resolves_is_said() -> None:
    assert sample_needed(np.repeat([[-1.0], [1.0]], 4, axis=1), 1 / MOST_SEEDS**2) is None
    assert sample_needed(np.ones((3, 4)), 0.1) is None
