"""Coverage-guided fuzzing of everything that reads third-party bytes (needs ``pip install -e '.[fuzz]'``).

``python tests/fuzz/fuzz_readers.py -max_total_time=120`` runs two minutes; a file that makes a reader fail
with anything but ``UserError`` is kept, and given as argument it is tried again.  The first byte of an input
says which reader gets the rest.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cotracker_pipeline.data.formats", "pickle"]):
    from cotracker_pipeline.data.formats import dynamic_replica, frames, images, tapvid
    from cotracker_pipeline.data.formats.arrays import load_npy, load_npz
    from cotracker_pipeline.data.formats.unpickling import read_pickle

import tiny_inputs

from cotracker_pipeline.errors import UserError

SCRATCH = Path(tempfile.mkdtemp(prefix="fuzz-"))


def _pickle(content: bytes) -> None:
    read_pickle(io.BytesIO(content), "file")


def _davis(content: bytes) -> None:
    for entry in tapvid.TAPVID_DAVIS.entries(_file(content)):
        entry.read()


def _npy(content: bytes) -> None:
    load_npy(_file(content))


def _npz(content: bytes) -> None:
    load_npz(_file(content), (), ("trajs_2d", "visibilities"))


def _image(content: bytes) -> None:
    images.decode_frame(content, "file")


def _table(content: bytes) -> None:
    frames._csv(_file(content), tiny_inputs.FRAMES)


def _annotations(content: bytes) -> None:
    dynamic_replica.DYNAMIC_REPLICA.entries(_file(content))


READERS = [_pickle, _davis, _npy, _npz, _image, _table, _annotations]
SEEDS = {
    "tapvid-davis": [_pickle, _davis],
    "tapvid-kinetics": [_pickle],
    "robotap": [_pickle],
    "kubric": [_npy, _image],
    "point-odyssey": [_npz, _image],
    "dynamic-replica": [_annotations],
    "frames": [_table],
}


def _file(content: bytes) -> Path:
    path = SCRATCH / "file"
    path.write_bytes(content)
    return path


def one_input(content: bytes) -> None:
    """Give the content to the reader that its first byte names."""
    if content:
        with contextlib.suppress(UserError):
            READERS[content[0] % len(READERS)](content[1:])


def write_seeds(folder: Path) -> None:
    """Write whole files of the formats, with the readers that they are for."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, readers in SEEDS.items():
        for number, path in enumerate(tiny_inputs.make(name, SCRATCH / "input")):
            for reader in readers:
                seed = bytes([READERS.index(reader)]) + path.read_bytes()
                (folder / f"{name}-{number}-{reader.__name__}").write_bytes(seed)


def main() -> None:
    """Command line of libFuzzer."""
    seeds = SCRATCH / "seeds"
    write_seeds(seeds)
    program, *options = sys.argv
    # libFuzzer heeds the last of an option, so that the caller's come last
    atheris.Setup([program, "-timeout=60", "-rss_limit_mb=2048", *options, str(seeds)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
