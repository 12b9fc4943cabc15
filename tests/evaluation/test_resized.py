"""Trackers that are given squares: nothing of it is to be seen outside."""

import numpy as np
from PIL import Image

from cotracker_pipeline.evaluation.resized import Resized, resized


class Corners:
    """Answers with the corner of the image that each query is in, and keeps what it was given."""

    def __call__(self, video, queries):
        self.video, self.queries = video, queries
        size = np.array(video.shape[2:0:-1])
        corners = size * (queries[:, 1:] > size / 2)
        tracks = np.repeat(corners[:, None], len(video), axis=1).astype(np.float32)
        return tracks, np.ones(tracks.shape[:2], bool)


def test_corners_stay_corners():
    tracker = Corners()
    video = np.random.default_rng(0).integers(0, 256, (3, 20, 60, 3), dtype=np.uint8)
    queries = np.array([[1, 0.0, 0.0], [0, 60.0, 20.0], [2, 45.0, 2.0]])
    tracks, visible = Resized(tracker, 32)(video, queries)
    assert tracker.video.shape == (3, 32, 32, 3)
    np.testing.assert_allclose(tracker.queries, [[1, 0, 0], [0, 32, 32], [2, 24, 3.2]])
    np.testing.assert_allclose(tracks[:, 0], [[0, 0], [60, 20], [60, 0]])
    assert tracks.dtype == np.float32
    assert visible.all()


def test_frames_are_filtered_by_lanczos():
    tracker = Corners()
    video = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), dtype=np.uint8)
    Resized(tracker, 16)(video, np.zeros((1, 3)))
    wanted = [Image.fromarray(frame).resize((16, 16), Image.Resampling.LANCZOS) for frame in video]
    np.testing.assert_array_equal(tracker.video, np.stack(wanted))


def test_without_a_side_trackers_are_as_they_were():
    trackers = {"first": Corners()}
    assert resized(trackers, None) is trackers
    assert isinstance(resized(trackers, 16)["first"], Resized)
