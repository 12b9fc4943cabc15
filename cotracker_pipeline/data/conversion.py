"""Converting a share of a data set to one shard, so that an interruption loses what was being read only."""

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from cotracker_pipeline.data.checksums import Checksums, digest_of_lines
from cotracker_pipeline.data.formats import FORMATS, Entry, Format
from cotracker_pipeline.data.parts import Parts
from cotracker_pipeline.data.sharding import share
from cotracker_pipeline.data.store import ShardReader, merge_shards, write_shard
from cotracker_pipeline.errors import UserError


def convert_shard(
    path: str | os.PathLike[str],
    name: str,
    source: Path,
    shard: int = 0,
    shards: int = 1,
    codec: Literal["raw", "jpeg"] | None = None,
    workers: int = 1,
    progress: bool = False,
) -> None:
    """Convert one share of the data set at ``source`` to the shard ``path``.

    Each finished sequence is kept in a folder beside ``path``, which goes when the shard is whole. After an
    interruption the same call reads only what is missing; the shard has the same bytes as without one.

    name: of the format, one of ``FORMATS``.
    shard, shards: which of how many shares; all together hold each sequence once.  Where there are fewer
        files or folders than shares, the sequences of each are divided.
    codec: how frames are stored; ``None``: the usual one of the format.
    workers: threads, each of which holds one sequence in memory; progress: show a bar on stderr.
    Raises ``UserError`` when the source is not of the format, damaged or without a sequence for the share, or
    the folder cannot be written.
    """
    converter = _Converter(Path(path), name, source, codec or FORMATS[name].codec)
    try:
        with tqdm(desc=f"converting {name}", unit="sequence", disable=not progress, total=0) as bar:
            entries = _share(FORMATS[name], source, shard, shards, converter.parts, bar)
            finished = sorted(_in_threads(converter.convert, entries, workers, bar))
        if not finished:
            raise UserError(
                f"{source}: no sequence is left for shard {shard} of {shards}; lower the number of shards"
            )
    except UserError:
        converter.parts.remove_unless_useful()
        raise
    converter.merge(finished, f"{shard} of {shards}")


class _Converter:
    """Converts sequences one by one, each to a part of its own, from any thread."""

    def __init__(self, path: Path, name: str, source: Path, codec: Literal["raw", "jpeg"]) -> None:
        self.path = path
        self.source = source
        self.codec = codec
        self.format = FORMATS[name]
        self.parts = Parts(path, [name, self.format.version, codec])
        self.checksums = Checksums(source)
        self.provenance: dict[str, Any] = {
            "source": self.format.title,
            "source_format": name,
            "source_version": self.format.version,
            "source_name": source.resolve().name,
            "licence": self.format.licence,
        }

    def convert(self, entry: Entry) -> tuple[str, Path]:
        """Make the part of one sequence, unless it is there; its name and the part."""
        part = self.parts.path(entry)
        if not self.parts.is_whole(part):
            sequence = entry.read()
            facts = {"source_sha256": self.checksums.of_all(entry.files)}
            write_shard(
                part, [replace(sequence, attrs={**sequence.attrs, **facts})], self.provenance, self.codec
            )
        return entry.name, part

    def merge(self, finished: list[tuple[str, Path]], share: str) -> None:
        """Make the shard of its parts, and remove them."""
        paths = [part for _, part in finished]
        digests = [f"{name}  {_source_digest(part)}" for name, part in finished]
        facts = {"shard": share, "source_sha256": digest_of_lines(digests)}
        merge_shards(self.path, paths, self.provenance | facts)
        self.parts.remove()


def _source_digest(part: Path) -> str:
    with ShardReader(part) as reader:
        return str(reader.attributes(0)["source_sha256"])


def _share(
    converted: Format, source: Path, shard: int, shards: int, parts: Parts, bar: "tqdm[Any]"
) -> Iterator[Entry]:
    """The sequences of one share; a unit is listed when its turn comes, as it may fill the memory."""
    units = converted.units(source)
    divided = len(units) < shards
    for unit in units if divided else units[share(len(units), shard, shards)]:
        entries = parts.listed(unit) or parts.remember(unit, converted.entries(unit))
        mine = entries[share(len(entries), shard, shards)] if divided else entries
        bar.total += len(mine)
        yield from mine


def _in_threads(
    convert: Any, entries: Iterator[Entry], workers: int, bar: "tqdm[Any]"
) -> Iterator[tuple[str, Path]]:
    """The results of ``convert`` as they come; few entries wait at a time, as each may hold a video."""
    waiting: set[Future[tuple[str, Path]]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for entry in entries:
                waiting.add(pool.submit(convert, entry))
                if len(waiting) > workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from _results(done, bar)
            yield from _results(waiting, bar)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _results(done: set[Future[tuple[str, Path]]], bar: "tqdm[Any]") -> Iterator[tuple[str, Path]]:
    for future in done:
        yield future.result()
        bar.update()
