"""Shards of any number of small images, and what streaming them takes: `python -m benchmarks._streaming FOLDER ...`."""

from __future__ import annotations

import io
import itertools
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hwnas.data import load_dataset
from hwnas.training import Batches

_SIZE, _DIFFERENT, _PER_SHARD, _PER_GROUP, _CLASSES = 16, 5000, 50_000, 1000, 10


def write_shards(folder: Path, images: int, seed: int) -> float:
    """Noise of 16 x 16 pixels as PNG files, 5,000 different ones again and again under random labels; their MB."""
    rng = np.random.default_rng(seed)
    encoded = []
    for _ in range(_DIFFERENT):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (_SIZE, _SIZE, 3), dtype=np.uint8)).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    different = pa.array(encoded, pa.binary())
    shards = -(-images // _PER_SHARD)
    for shard in range(shards):
        rows = np.arange(shard * _PER_SHARD, min(images, (shard + 1) * _PER_SHARD))
        columns = {
            "image.bytes": different.take(pa.array(rows % _DIFFERENT)),
            "label": rng.integers(0, _CLASSES, len(rows)),
        }
        path = folder / f"train-{shard:05}-of-{shards:05}.parquet"
        # a dictionary would write each different image once
        pq.write_table(pa.table(columns), path, row_group_size=_PER_GROUP, use_dictionary=False)
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


@dataclass(frozen=True)
class Streamed:
    """Largest resident memory of a process and its decoders in all, with and without what they share; how fast."""

    rss_mb: float
    pss_mb: float
    images_per_s: float
    samples: int

    @classmethod
    def read(cls, text: str) -> Streamed:
        """The inverse of `json.dumps(asdict(...))`."""
        return cls(**json.loads(text))


class _Watch(threading.Thread):
    """Looks at the memory of this process and its children until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stopped, self.rss, self.pss, self.samples = threading.Event(), 0.0, 0.0, 0

    def run(self) -> None:
        """Every half a second."""
        while not self.stopped.wait(0.5):
            rss = pss = 0.0
            for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
                try:
                    memory = process.memory_full_info()
                except psutil.Error:  # it just ended
                    continue
                rss, pss = rss + memory.rss, pss + memory.pss
            self.rss, self.pss, self.samples = max(self.rss, rss), max(self.pss, pss), self.samples + 1


def measured(folder: Path, count: int, workers: int) -> Streamed:
    """Load the shards and go through `count` training batches, epoch after epoch."""
    watch = _Watch()
    watch.start()
    batches = Batches(load_dataset(str(folder), size=_SIZE, stream=True), 64, workers=workers)
    epochs = (batches.training(0, epoch) for epoch in itertools.count())
    start = time.perf_counter()
    seen = sum(len(batch.labels) for batch in itertools.islice(itertools.chain.from_iterable(epochs), count))
    seconds = time.perf_counter() - start
    watch.stopped.set()
    watch.join()
    return Streamed(watch.rss / 1e6, watch.pss / 1e6, seen / seconds, watch.samples)


if __name__ == "__main__":
    print(json.dumps(asdict(measured(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
