"""Training samples cut from shards."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cotracker_pipeline.config import Augmentation, Clip, Pace, Training
from cotracker_pipeline.data.clips import ClipDataset
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.data.loading import batches
from cotracker_pipeline.data.spans import draw_span
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


@settings(deadline=None)
@given(st.integers(1, 40), st.data(), st.booleans(), st.booleans(), st.integers(0, 99))
def test_spans_are_within_the_sequence(frames, data, random_length, random_frame_rate, seed):
    total = data.draw(st.integers(frames, 121))
    pace = Pace(random_length=random_length, random_frame_rate=random_frame_rate)
    span = draw_span(np.random.default_rng(seed), total, frames, pace)
    chosen = np.arange(total)[span.frame]
    assert span.start >= 0
    assert len(chosen) == span.frames
    assert span.start + (span.frames - 1) * span.stride < total
    assert (span.frames == frames) or (random_length and max(frames // 2, 1) <= span.frames < frames)
    assert span.stride == 1 or (random_frame_rate and span.stride <= total // span.frames)


def test_spans_are_all_that_is_published():
    """Of CoTracker3: 120 frames, clips of 60. All these lengths and frame rates occur, and no others."""
    rng = np.random.default_rng(0)
    pace = Pace(random_length=True, random_frame_rate=True)
    spans = [draw_span(rng, 120, 60, pace) for _ in range(4000)]
    assert {span.frames for span in spans} == set(range(30, 60))
    assert {span.stride for span in spans if span.frames == 30} == {1, 2, 3, 4}
    assert {span.stride for span in spans if span.frames == 59} == {1, 2}
    longest = [span for span in spans if (span.frames, span.stride) == (30, 4)]
    assert {span.start for span in longest} == {0, 1, 2, 3}


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_clips_of_another_pace_show_their_frames(codec, tmp_path):
    """Blue tells the frame, and so does the place of the only point."""
    frames = 12
    video = np.zeros((frames, 16, 16, 3), np.uint8)
    video[..., 2] = 20 * np.arange(frames)[:, None, None]
    tracks = np.full((1, frames, 2), 8.5, np.float32)
    tracks[0, :, 0] = 2.5 + np.arange(frames)
    facts = {"source": "test", "licence": "none"}
    write_shard(tmp_path / "0.h5", [Sequence("one", video, tracks, np.ones((1, frames), bool))], facts, codec)
    still = Augmentation(flip_x=False, flip_y=False)
    pace = Pace(random_length=True, random_frame_rate=True)
    data = ClipDataset([tmp_path / "0.h5"], Clip(frames=6, height=16, width=16), 1, 3, 30, still, pace=pace)
    seen = set()
    for index, sample in enumerate(data):
        shown = (sample.video[:, 2, 8, 8].float() / 20).round()
        assert torch.equal(shown, sample.trajectory[:, 0, 0] - 2)
        steps = set(shown.diff().int().tolist())
        assert len(steps) == 1
        seen.add((len(shown), *steps))
        assert f"frames {int(shown[0])} to {int(shown[-1])}" in data.origin(index)
        if index == 29:
            break
    assert {length for length, _ in seen} == {3, 4, 5}
    assert {step for _, step in seen} >= {1, 2, 3}


def test_clips_of_a_batch_have_one_length():
    with pytest.raises(ValidationError, match=r"pace\.random_length wants clip\.batch_size 1 instead of 2"):
        Training(clip=Clip(batch_size=2), pace=Pace(random_length=True))
