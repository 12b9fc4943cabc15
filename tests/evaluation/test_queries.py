"""Bad arguments of the query sampling; its numbers are in test_metrics_golden."""

import numpy as np
import pytest

from cotracker_pipeline.evaluation.queries import sample_queries_first, sample_queries_strided

OCCLUDED, POINTS, FRAMES = np.zeros((2, 4), bool), np.zeros((2, 4, 2)), np.zeros((4, 8, 8, 3), np.uint8)


@pytest.mark.parametrize("sampler", [sample_queries_first, sample_queries_strided])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((OCCLUDED.astype(int), POINTS, FRAMES), "must be bool"),
        ((OCCLUDED[0], POINTS, FRAMES), r"must be bool \(N, T\)"),
        ((OCCLUDED, POINTS[:1], FRAMES), "target_points has shape"),
        ((OCCLUDED, POINTS.astype(int), FRAMES), "must be a floating type"),
        ((OCCLUDED, POINTS, FRAMES[1:]), "frames has 3 frames, target_occluded 4"),
    ],
)
def test_bad_arguments_are_named(sampler, arguments, message):
    with pytest.raises(ValueError, match=message):
        sampler(*arguments)


def test_stride_must_be_positive():
    with pytest.raises(ValueError, match="query_stride is 0"):
        sample_queries_strided(OCCLUDED, POINTS, FRAMES, query_stride=0)
