"""Training samples cut from shards."""

import hashlib

import numpy as np
import pytest
import torch

from cotracker_pipeline.config import Augmentation, Clip
from cotracker_pipeline.data.clips import ClipDataset
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.data.loading import batches
from cotracker_pipeline.data.store import Sequence, write_shard
from cotracker_pipeline.errors import UserError


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Red and green of each pixel are its column and row; points stand on pixel centres."""
    frames, height, width, points = 10, 24, 32, 60
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)
    video = np.repeat(image[None], frames, axis=0)
    video[..., 2] = np.arange(frames)[:, None, None]
    positions = rng.integers([0, 0], [width, height], size=(points, 1, 2)) + 0.5
    tracks = np.repeat(positions, frames, axis=1).astype(np.float32)
    visible = rng.random((points, frames)) < 0.9
    visible[:, 0] = True
    path = tmp_path_factory.mktemp("clips") / "0.h5"
    write_shard(path, [Sequence("one", video, tracks, visible)], {"source": "test", "licence": "none"})
    return path


def dataset(shard, tracks=6, **clip):
    size = Clip(**{"frames": 6, "height": 16, "width": 16} | clip)
    return ClipDataset([shard], size, tracks, seed=3, length=40, augmentation=Augmentation())


def test_pixels_stay_under_their_tracks(shard):
    """The colour under every visible point is the point's own column and row, cropped and flipped or not."""
    for sample in (dataset(shard)[i] for i in range(40)):
        assert sample.video.shape == (6, 3, 16, 16)
        assert sample.video.dtype == torch.uint8
        assert sample.trajectory.shape == (6, 6, 2)
        for t in range(6):
            for n in torch.nonzero(sample.visibility[t]).flatten():
                x, y = sample.trajectory[t, n].round().long().tolist()
                assert (sample.trajectory[t, n] - torch.tensor([x, y])).abs().max() < 1e-5
                under = sample.video[t, :, y, x].long()
                assert under[2] - sample.video[0, 2, 0, 0].long() == t
                for other in range(6):
                    if sample.visibility[other, n]:
                        x2, y2 = sample.trajectory[other, n].round().long().tolist()
                        assert torch.equal(sample.video[other, :2, y2, x2], sample.video[t, :2, y, x])


def test_a_sample_is_a_function_of_its_index(shard):
    for one, two in zip(dataset(shard)[7], dataset(shard)[7], strict=True):
        assert torch.equal(one, two)


def test_without_further_augmentation_clips_are_what_they_always_were(tmp_path):
    """The bytes that clips had before there was any: a finished study stays comparable."""
    rng = np.random.default_rng(11)
    video = rng.integers(0, 256, (7, 20, 26, 3)).astype(np.uint8)
    tracks = (rng.random((40, 7, 2)) * [26, 20]).astype(np.float32)
    visible = rng.random((40, 7)) < 0.8
    write_shard(
        tmp_path / "0.h5", [Sequence("one", video, tracks, visible)], {"source": "t", "licence": "none"}
    )
    data = ClipDataset([tmp_path / "0.h5"], Clip(frames=5, height=12, width=16), 6, 3, 20, Augmentation())
    digest = hashlib.sha256()
    for index in range(20):
        for part in data[index]:
            digest.update(part.numpy().tobytes())
    assert digest.hexdigest() == "2e2fc6985c223621c616c8ea8f35299706273237844ca5082ab8e3318557860b"


def test_clips_do_not_depend_on_the_process_that_reads_them(shard):
    """Augmented with all there is."""
    everything = Augmentation(
        erase=0.5, replace=0.5, jitter=0.5, blur=0.5, pad=4, scale=0.2, scale_drift=0.05, crop_drift=3
    )
    data = ClipDataset([shard], Clip(frames=6, height=10, width=12), 2, 3, 8, everything)
    alone, spread = (list(batches(data, Division(2), 0, workers, read_ahead=1)) for workers in (0, 2))
    assert len(alone) == len(spread) == 4
    for one, other in zip(alone, spread, strict=True):
        assert all(torch.equal(*parts) for parts in zip(one, other, strict=True))


def test_batches_continue_in_the_middle(shard):
    whole = list(batches(dataset(shard), Division(4), 0, workers=0, read_ahead=1))
    rest = list(batches(dataset(shard), Division(4), 6, workers=0, read_ahead=1))
    assert len(whole) == 10
    assert len(rest) == 4
    assert torch.equal(whole[6].trajectory, rest[0].trajectory)


def test_tracks_are_distinct_and_visible_in_the_first_or_middle_frame(shard):
    sample = dataset(shard)[0]
    assert (sample.visibility[0] | sample.visibility[3]).all()
    assert len({tuple(xy.tolist()) for xy in sample.trajectory[0]}) > 1


@pytest.mark.parametrize(
    ("clip", "message"),
    [({"frames": 11}, "training.clip.frames is 11"), ({"width": 33}, "training.clip.width is 33")],
)
def test_sequences_smaller_than_the_clip_are_refused(shard, clip, message):
    with pytest.raises(UserError, match=message):
        dataset(shard, **clip)


def test_too_few_tracks_are_refused(shard):
    with pytest.raises(UserError, match=r"lower recipe\.tracks"):
        dataset(shard, tracks=61)[0]
