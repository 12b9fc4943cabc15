"""The metrics and the query sampling against numbers of the published reference (google-deepmind/tapnet)."""

import json
from pathlib import Path

import numpy as np
import pytest

from cotracker_pipeline.evaluation.metrics import METRIC_NAMES, tapvid_metrics
from cotracker_pipeline.evaluation.queries import sample_queries_first, sample_queries_strided

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
ARGUMENTS = ("query_points", "gt_occluded", "gt_tracks", "pred_occluded", "pred_tracks")
METRIC_CASES = json.loads((GOLDEN / "tapvid_metrics.json").read_text())["cases"]
SAMPLING_CASES = json.loads((GOLDEN / "query_sampling.json").read_text())


@pytest.fixture(scope="module")
def metric_arrays():
    with np.load(GOLDEN / "tapvid_metrics.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def sampling_arrays():
    with np.load(GOLDEN / "query_sampling.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("trackwise", [False, True], ids=["video", "track"])
@pytest.mark.parametrize("case", METRIC_CASES)
def test_metrics_equal_reference(metric_arrays, near, case, trackwise):
    arguments = [metric_arrays[f"{case}/{name}"] for name in ARGUMENTS]
    got = tapvid_metrics(*arguments, METRIC_CASES[case]["query_mode"], trackwise)
    prefix = f"{case}/{'out_trackwise' if trackwise else 'out'}/"
    wanted = {
        key.removeprefix(prefix): value for key, value in metric_arrays.items() if key.startswith(prefix)
    }
    assert set(got) == set(wanted) == set(METRIC_NAMES)
    for name, value in wanted.items():
        near("metrics", name, got[name], value, 1e-9)


def check_sample(got, arrays, prefix):
    wanted = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    assert wanted
    assert set(got) == {"video", *wanted}
    for name, value in wanted.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
        assert got[name].dtype == value.dtype


@pytest.mark.parametrize("case", SAMPLING_CASES)
def test_sampling_equals_reference(sampling_arrays, case):
    occluded = sampling_arrays[f"{case}/target_occluded"]
    points = sampling_arrays[f"{case}/target_points"]
    frames = np.zeros((occluded.shape[1], 4, 5, 3), np.uint8)
    stride = SAMPLING_CASES[case]["stride"]
    strided = sample_queries_strided(occluded, points, frames, *([stride] if stride else []))
    check_sample(strided, sampling_arrays, f"{case}/strided/")
    assert strided["video"].shape == (1, *frames.shape)
    if isinstance(SAMPLING_CASES[case]["first"], str):
        with pytest.raises(ValueError, match="no track is ever visible"):
            sample_queries_first(occluded, points, frames)
    else:
        check_sample(sample_queries_first(occluded, points, frames), sampling_arrays, f"{case}/first/")
