"""Batches of training clips, read by this process or by others."""

import re
from collections.abc import Iterator

import cv2
import torch
from torch.utils.data import Dataset, default_collate

from cotracker_pipeline.data.clips import ClipDataset, Sample
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.errors import UserError

#: How torch says that a process that reads is no more; there is no class of its own.
_DEAD_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)?:? ([\d, ]+)\)")


def batches(
    dataset: ClipDataset, division: Division, first: int, workers: int, read_ahead: int
) -> Iterator[Sample]:
    """What this process computes of ``dataset``, in order: the parts of batch number ``first``, of the next…

    Args:
        dataset: the samples; its length is a multiple of the batch.
        division: of each batch.
        first: number of the first batch, so that a training may continue.
        workers: processes that read; 0 reads in this one, when a batch is asked for.
        read_ahead: parts that each worker prepares before they are asked for.

    Raises:
        UserError: when data cannot be read, or a worker dies or runs out of memory.
    """
    loader = torch.utils.data.DataLoader(
        _Told(dataset, division, first * division.of_process),
        division.at_once,
        # torch draws a seed here; a continued training has drawn it already
        generator=torch.Generator() if first else None,
        num_workers=workers,
        prefetch_factor=read_ahead if workers else None,
        collate_fn=_collated,
        worker_init_fn=_one_thread,
        # a forked worker inherits locks of this process' threads, OpenCV's among them, and may wait for ever
        multiprocessing_context="forkserver" if workers else None,
    )
    try:
        for batch in loader:
            if isinstance(batch, UserError):
                raise batch
            yield batch
    except RuntimeError as error:
        if dead := _DEAD_WORKER.search(str(error)):
            raise UserError(
                f"a process that reads clips died (pid {dead[1]}), perhaps killed as memory ran out; lower "
                "training.workers or training.read_ahead, or give the job more memory"
            ) from error
        raise


class _Told(Dataset[Sample | UserError]):
    """The samples of this process but the ``first`` ones; an error is one of them.

    Raised in a worker it would reach this process with the traceback in its sentence.
    """

    def __init__(self, dataset: ClipDataset, division: Division, first: int) -> None:
        self.dataset = dataset
        self.division = division
        self.first = first

    def __len__(self) -> int:
        return len(self.dataset) // self.division.processes - self.first

    def __getitem__(self, index: int) -> Sample | UserError:
        try:
            return self.dataset[self.division.sample(self.first + index)]
        except UserError as error:
            return error
        except MemoryError:
            return UserError(
                "the memory of this machine ran out while clips were read; lower training.workers or "
                "training.read_ahead, or give the job more"
            )


def _collated(samples: list[Sample | UserError]) -> Sample | UserError:
    for sample in samples:
        if isinstance(sample, UserError):
            return sample
    return default_collate(samples)


def _one_thread(worker: int) -> None:
    """A worker is one core."""
    del worker
    cv2.setNumThreads(1)
