"""The floors on a photographed pair with measured disparities, and what the cycle error says about them."""

import numpy as np
import pytest
from stereo import Pair, stereo_pair

from cotracker_pipeline.evaluation.baselines import BASELINES
from cotracker_pipeline.evaluation.cycle import cycle_errors


@pytest.fixture(scope="module")
def pair() -> Pair:
    return stereo_pair()


def errors(name: str, pair: Pair) -> np.ndarray:
    """Pixels by which each point is off in the right image."""
    tracks, _ = BASELINES[name](pair.video, pair.queries)
    return np.linalg.norm(tracks[:, 1] - pair.truth, axis=1)


def test_the_pair_moves_far(pair: Pair) -> None:
    assert len(pair.queries) > 2000
    static = errors("static", pair)
    np.testing.assert_allclose(static, pair.queries[:, 1] - pair.truth[:, 0], atol=1e-4)
    assert np.median(static) > 30
    assert (static < 4).mean() == 0


# measured: medians of 0.90 and 0.21 pixels, 65 and 89 % within 4; static points 37.1 pixels, none
@pytest.mark.parametrize(
    ("name", "median", "within_4"), [("lucas-kanade", 1.5, 0.6), ("dis-flow", 0.3, 0.85)]
)
def test_flow_finds_the_disparity(name: str, median: float, within_4: float, pair: Pair) -> None:
    found = errors(name, pair)
    assert np.median(found) < median
    assert (found < 4).mean() > within_4
    assert found.mean() < errors("static", pair).mean() / 2


@pytest.mark.parametrize("name", ["lucas-kanade", "dis-flow"])
def test_what_flow_calls_visible_is_more_often_right(name: str, pair: Pair) -> None:
    _, visible = BASELINES[name](pair.video, pair.queries)
    found = errors(name, pair) < 4
    assert found[visible[:, 1]].mean() > 0.85
    assert found[~visible[:, 1]].mean() < 0.5


@pytest.mark.parametrize("name", ["lucas-kanade", "dis-flow"])
def test_points_that_come_back_are_more_often_right(name: str, pair: Pair) -> None:
    """The cycle error tells, without the truth, which points to trust."""
    cycle = cycle_errors(BASELINES[name], pair.video, pair.queries)
    found = errors(name, pair) < 4
    turned = np.isfinite(cycle)
    assert found[turned & (cycle < 0.5)].mean() > found[turned & (cycle >= 0.5)].mean() + 0.1
