"""Training samples: clips cut from the sequences of shards."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cotracker_pipeline.command import say
from cotracker_pipeline.config import Augmentation, Clip, Pace
from cotracker_pipeline.data.augmentation import Change, Labels, draw_changes
from cotracker_pipeline.data.coordinates import raster_to_index
from cotracker_pipeline.data.spans import Span, draw_span
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import DamagedData, UserError

#: Draws of a clip before the data are said to have too few tracks.
MAX_DRAWS = 100


class Sample(NamedTuple):
    """One clip, or a batch of clips with a leading dimension.

    video: (T, 3, H, W) uint8 RGB; trajectory: (T, N, 2) float32 pixel indices of the clip;
    visibility, valid: (T, N) boolean.
    """

    video: Tensor
    trajectory: Tensor
    visibility: Tensor
    valid: Tensor


class Place(NamedTuple):
    """Where a clip is cut out: the frames ``span`` of sequence ``sequence`` of a shard."""

    reader: ShardReader
    sequence: int
    span: Span


class ClipDataset(Dataset[Sample]):
    """Random clips, each a function of ``seed`` and its index alone.

    A clip is a run of frames, changed at random. Its tracks are drawn without repetition among
    those that are visible in its first or middle frame.

    Args:
        shards: HDF5 files.
        clip: frames, height and width of a sample.
        tracks: tracks of a sample.
        seed: of all random choices.
        length: number of samples.
        augmentation: how clips are changed.
        skip_damaged: leave out, with a warning, files and sequences that are damaged.
        pace: whether clips are shorter at random, and not of all frames.

    Raises:
        UserError: when a file cannot be read, or is shorter or smaller than the clip.
    """

    def __init__(
        self,
        shards: Sequence[str | os.PathLike[str]],
        clip: Clip,
        tracks: int,
        seed: int,
        length: int,
        augmentation: Augmentation,
        skip_damaged: bool = False,
        pace: Pace = Pace(),  # noqa: B008  immutable
    ) -> None:
        self.pace = pace
        self.skip_damaged = skip_damaged
        self.readers = [reader for path in shards if (reader := self._opened(path)) is not None]
        self.clip = clip
        self.tracks = tracks
        self.seed = seed
        self.length = length
        self.augmentation = augmentation
        self.places = [(reader, i) for reader in self.readers for i in range(len(reader))]
        if not self.places:
            raise UserError("the training data hold no sequence; give shards that are not empty")
        for reader, index in self.places:
            self._check_size(reader, index)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        return self._found(index)[1]

    def origin(self, index: int) -> str:
        """Where a sample was cut out of, to be told."""
        reader, sequence, span = self._found(index)[0]
        frames = f"frames {span.start} to {span.frame.stop - 1}"
        every = f", every {span.stride}th" if span.stride > 1 else ""
        return f"{reader.path}, sequence {reader.names[sequence]}, {frames}{every}"

    def origins(self, batch: int, size: int) -> str:
        """The same of all samples of a batch, which is counted from 0."""
        return " and ".join(self.origin(batch * size + sample) for sample in range(size))

    def _found(self, index: int) -> tuple[Place, Sample]:
        """The first of random places where there is a sample."""
        rng = np.random.default_rng([self.seed, index])
        for _ in range(MAX_DRAWS):
            reader, sequence = self.places[rng.integers(len(self.places))]
            total = int(reader.attributes(sequence)["T"])
            place = Place(reader, sequence, draw_span(rng, total, self.clip.frames, self.pace))
            sample = self._undamaged(rng, place)
            if sample is not None:
                return place, sample
        raise UserError(
            f"no clip with {self.tracks} visible tracks was found in {MAX_DRAWS} draws from "
            f"{self.readers[0].path} and {len(self.readers) - 1} more; lower recipe.tracks or "
            "training.track_factor, or render more points"
        )

    def _opened(self, path: str | os.PathLike[str]) -> ShardReader | None:
        """None where the file is damaged and that may be."""
        try:
            return ShardReader(path)
        except DamagedData as error:
            self._leave_out(error)
            return None

    def _undamaged(self, rng: np.random.Generator, place: Place) -> Sample | None:
        """None where the sequence is damaged and that may be, too."""
        try:
            return self._draw(rng, place)
        except DamagedData as error:
            self._leave_out(error)
            return None

    def _leave_out(self, error: DamagedData) -> None:
        if not self.skip_damaged:
            raise error
        say(f"warning: left out: {error}")

    def _draw(self, rng: np.random.Generator, place: Place) -> Sample | None:
        """A clip from there; None when it has too few tracks."""
        reader, index, span = place
        labels, valid = self._labels(reader, index, span)
        changes, labels = draw_changes(rng, labels, self.augmentation, self.clip)
        candidates = np.flatnonzero(labels.visible[0] | labels.visible[labels.frames // 2])
        if len(candidates) < self.tracks:
            return None
        chosen = rng.choice(candidates, self.tracks, replace=False)
        return Sample(
            self._video(reader, index, span, changes),
            torch.from_numpy(labels.tracks[:, chosen]),
            torch.from_numpy(labels.visible[:, chosen]),
            torch.from_numpy(valid[:, chosen]),
        )

    def _labels(self, reader: ShardReader, index: int, span: Span) -> tuple[Labels, np.ndarray]:
        """The labels of whole frames, and where they are annotated: (T, N)."""
        tracks, visible, valid = (label[:, span.frame].swapaxes(0, 1) for label in reader.labels(index))
        attributes = reader.attributes(index)
        size = int(attributes["H"]), int(attributes["W"])
        return Labels(raster_to_index(tracks), visible & valid, *size), valid

    def _video(self, reader: ShardReader, index: int, span: Span, changes: list[Change]) -> Tensor:
        video = reader.frames(index, span.frame.start, span.frame.stop, span.stride)
        for change in changes:
            video = change.paint(video)
        return torch.from_numpy(np.ascontiguousarray(video.transpose(0, 3, 1, 2)))

    def _check_size(self, reader: ShardReader, index: int) -> None:
        attributes = reader.attributes(index)
        for key, needed in (("T", self.clip.frames), ("H", self.clip.height), ("W", self.clip.width)):
            if attributes[key] < needed:
                name = {"T": "frames", "H": "height", "W": "width"}[key]
                raise UserError(
                    f"{reader.path}: sequence {reader.names[index]} has {name} {attributes[key]}, "
                    f"but training.clip.{name} is {needed}; lower it or give larger sequences"
                )
