"""The HDF5 store: one file layout for rendered and converted sequences ("ptdata" version 1).

A file (a *shard*) holds any number of sequences, one group ``/seq/NAME`` each, whose sizes may differ:

===================== ======================== ====================================================
``video``             (T, H, W, 3) uint8       codec ``raw``: one chunk a frame
``jpeg``              (bytes,) uint8           codec ``jpeg``: all frames one after another
``jpeg_offset``       (T + 1,) int64           where each frame starts in ``jpeg``
``tracks``            (N, T, 2) float32        x, y in raster pixels of this video
``visible``           (N, T) bool
``valid``             (N, T) bool, optional    the position is annotated; left out: all are
``query``             (Q, 3) float32, optional t, x, y of the data set's own queries
``extra/*``           any, optional            for example ``object_id``, ``depth``, ``K``, ``cam2world``
===================== ======================== ====================================================

The attributes of the file say what it is and where it came from.
"""

from cotracker_pipeline.data.store.reader import ShardReader
from cotracker_pipeline.data.store.sequence import Sequence
from cotracker_pipeline.data.store.validation import validate_shard
from cotracker_pipeline.data.store.writer import merge_shards, write_shard

__all__ = ["Sequence", "ShardReader", "merge_shards", "validate_shard", "write_shard"]
