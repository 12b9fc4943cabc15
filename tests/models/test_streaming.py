"""Tracking while the video comes in: golden numbers, equality with whole clips, and memory."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import TINY_OF
from torch import Tensor

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.models import CoTracker2, CoTracker3Online
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.predictions import from_query_on
from cotracker_pipeline.models.streaming import OnlineTracker, Tracks
from cotracker_pipeline.models.windowed import WindowedTracker
from cotracker_pipeline.rungs import TRACKING

KINDS = ("cotracker2", "cotracker3-online")
ITERATIONS = 2


def tiny(kind: str, strategy: Strategy = Strategy(), **changes: object) -> WindowedTracker:  # noqa: B008
    torch.manual_seed(0)
    size = TINY_OF[kind].model_copy(update=changes)
    model = build_model(size, Recipe(corr_radius=1), strategy)
    # not larger: sines of displacements make large random updates chaotic, and rounding grows to pixels
    torch.nn.init.normal_(model.updateformer.flow_head.weight, std=5e-4)
    return model.double()


def clip(frames: int, batch: int = 1, tracks: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    video = 255 * torch.rand(batch, frames, 3, 32, 48, generator=generator, dtype=torch.float64)
    points = 30 * torch.rand(batch, tracks, 2, generator=generator, dtype=torch.float64)
    when = torch.randint(0, frames, (batch, tracks, 1), generator=generator)
    return video, torch.cat([when, points], dim=-1)


def streamed(model: WindowedTracker, video: Tensor, queries: Tensor, sizes: Iterable[int]) -> Tracks:
    """Fed in chunks of ``sizes``, again and again the last."""
    tracker = OnlineTracker(model, queries, ITERATIONS)
    parts = [tracker.feed(chunk) for chunk in video.split(list(sizes), dim=1)]
    parts.append(tracker.finish())
    for part, following in pairwise(parts):
        assert following.first == part.first + part.coords.shape[1]
    return Tracks.joined(parts)


@pytest.mark.parametrize(
    ("name", "architecture", "options"),
    [
        ("v2_online_streaming", CoTracker2, {}),
        ("v3_online_streaming", CoTracker3Online, {"use_attention_mask": False}),
    ],
)
def test_streaming_as_published(rule, golden, near, name, architecture, options):
    """After each window, all frames so far: those that are final, and those that the next window refines."""
    case = golden(name)
    length = case.meta["window_len"]
    model = rule.fill_(architecture(length, **options), case.meta["seed"])
    tracker = OnlineTracker(model, case["queries"], case.meta["iters"])
    chunks = case.video.split([length, length // 2, case.meta["T"] - length - length // 2], dim=1)
    final = []
    for step, chunk in enumerate(chunks):
        final.append(tracker.feed(chunk))
        rest = tracker.finish() if step == 2 else tracker.provisional()
        so_far = Tracks.joined([*final, rest])
        near(name, "coordinates (px)", so_far.coords, case[f"step{step}_coords"], 2e-4)
        near(name, "visibility", so_far.probabilities[0], case[f"step{step}_vis"], 2e-5)
        if f"step{step}_conf" in case.arrays:
            near(name, "confidence", so_far.probabilities[1], case[f"step{step}_conf"], 2e-5)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    frames=st.integers(1, 14),
    batch=st.integers(1, 2),
    leaving_out=st.booleans(),
    data=st.data(),
)
def test_streaming_is_the_forward_pass(kind, frames, batch, leaving_out, data):
    """For videos of any length in chunks of any length; of half a window or less, too."""
    strategy = Strategy(**TRACKING) if leaving_out else Strategy()
    model = tiny(kind, strategy)
    video, queries = clip(frames, batch)
    sizes = []
    while sum(sizes) < frames:
        sizes.append(data.draw(st.integers(1, frames - sum(sizes))))
    check_equal(model, video, queries, sizes, 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_streaming_from_the_best_match_is_the_forward_pass(kind):
    """Which is found in single precision."""
    model = tiny(kind, first_estimate="matching").float()
    video, queries = (each.float() for each in clip(11))
    check_equal(model, video, queries, [3, 8], 1e-3)


def check_equal(
    model: WindowedTracker, video: Tensor, queries: Tensor, sizes: Iterable[int], tolerance: float
) -> None:
    """From the queries on."""
    found = streamed(model, video, queries, sizes)
    with torch.no_grad():
        coords, *probabilities, _ = model(video, queries, ITERATIONS)
    known = from_query_on(queries, video.shape[1])
    for ours, theirs in zip((found.coords, *found.probabilities), (coords, *probabilities), strict=True):
        torch.testing.assert_close(ours[known], theirs[known], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_video(kind):
    """Counted in bytes of all that a tracker holds, and in frames that were encoded: each one once."""
    model = tiny(kind, Strategy(**TRACKING))
    encoded = []
    plain = model.encode
    model.encode = lambda video: encoded.append(video.shape[1]) or plain(video)
    video, queries = clip(60)
    queries[..., 0] %= 4
    tracker = OnlineTracker(model, queries, ITERATIONS)
    held = []
    for frame in video.split(1, dim=1):
        tracker.feed(frame)
        held.append(bytes_held(tracker))
    # from the second window on: the same again every half window
    assert held[4:] == held[4:6] * 28
    assert max(held) == max(held[:6])
    assert sum(encoded) == 60
    tracker.finish()
    assert bytes_held(tracker) < 1000


def bytes_held(tracker: OnlineTracker) -> int:
    """Of all tensors, however deep in its attributes; a part of a tensor holds the whole."""

    def tensors(value: object) -> Iterable[Tensor]:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            for each in value:
                yield from tensors(each)

    attributes = [each for name, value in vars(tracker).items() if name != "model" for each in tensors(value)]
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in attributes}
    return sum(storages.values())


def test_frames_at_once_are_encoded_half_a_window_at_a_time():
    model = tiny("cotracker2")
    encoded = []
    plain = model.encode
    model.encode = lambda video: encoded.append(video.shape[1]) or plain(video)
    video, queries = clip(9)
    OnlineTracker(model, queries, ITERATIONS).feed(video)
    assert encoded == [2, 2, 2, 2, 1]


def test_published_tracks_are_not_hidden_before_their_query():
    """The official CoTracker3 does not use the mask; nor is anything left out then."""
    model = tiny("cotracker3-online", Strategy(**TRACKING))
    model.use_attention_mask = False
    video, queries = clip(9)
    queries[0, -1, 0] = 8
    found = streamed(model, video, queries, [9])
    with torch.no_grad():
        coords, *_ = model(video, queries, ITERATIONS)
    torch.testing.assert_close(found.coords, coords, rtol=1e-9, atol=1e-9)
    hidden = tiny("cotracker3-online", Strategy(**TRACKING))
    assert not torch.allclose(streamed(hidden, video, queries, [9]).coords[:, :, :3], coords[:, :, :3])


def test_nothing_given_is_changed():
    model = tiny("cotracker2")
    video, queries = clip(9)
    kept = video.clone(), queries.clone()
    streamed(model, video, queries, [9])
    assert torch.equal(video, kept[0])
    assert torch.equal(queries, kept[1])


def test_a_finished_video_is_refused():
    model = tiny("cotracker2")
    video, queries = clip(3)
    tracker = OnlineTracker(model, queries, ITERATIONS)
    assert tracker.finish().coords.shape == (1, 0, 4, 2)
    with pytest.raises(ValueError, match="the video is finished"):
        tracker.feed(video)


@pytest.mark.parametrize(
    "query", [[float("nan"), 5, 5], [0, float("nan"), 5], [0, 5, float("inf")], [0, 1501, 5], [0, 5, -1501],
              [-1, 5, 5], [0.5, 5, 5]]
)  # fmt: skip
def test_queries_without_sense_are_refused(query):
    with pytest.raises(ValueError, match="query 1 of sample 0 is "):
        OnlineTracker(tiny("cotracker2"), torch.tensor([[[0, 1500, -1500], query]], dtype=torch.float64))
