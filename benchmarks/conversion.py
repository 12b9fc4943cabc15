"""Sequences a second of ``convert`` by the number of workers: copies of one Kubric sequence at true size."""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import cv2

from cotracker_pipeline.data.conversion import convert_shard


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = _copies(arguments.input, Path(folder) / "input", arguments.sequences, arguments.side)
        for workers in arguments.workers:
            wall, cpu = time.perf_counter(), time.process_time()
            convert_shard(Path(folder) / "out.h5", "kubric", root, workers=workers)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            count = arguments.sequences
            print(f"{workers} workers: {count / wall:.1f} sequences/s, {cpu / count:.3f} CPU-s each")


def _copies(sequence: Path, root: Path, count: int, side: int) -> Path:
    """A data set of ``count`` copies of one Kubric sequence, its frames enlarged."""
    first = shutil.copytree(sequence, root / "0000")
    for path in (first / "frames").iterdir():
        frame = cv2.imread(str(path))
        cv2.imwrite(str(path), cv2.resize(frame, (side, side), interpolation=cv2.INTER_CUBIC))
    (first / f"{sequence.name}.npy").rename(first / "0000.npy")
    for number in range(1, count):
        copy = shutil.copytree(first, root / f"{number:04d}")
        (copy / "0000.npy").rename(copy / f"{copy.name}.npy")
    return root


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("tests/fixtures/kubric/0000"), help="a sequence")
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--side", type=int, default=512, help="of the frames, in pixels")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    return parser


if __name__ == "__main__":
    main()
