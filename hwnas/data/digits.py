"""The handwritten digits that come with scikit-learn: 1797 images, no download."""

from collections.abc import Iterator

import numpy as np

from hwnas.data._assemble import Pool, assemble
from hwnas.data._base import Images, Rows
from hwnas.data._dataset import Dataset
from hwnas.data._decode import Encoded
from hwnas.data._source import Source
from hwnas.data.options import ImageOptions


class _Grey(Source):
    def __init__(self, images: Images):
        self._images = images

    def read(self, rows: Rows) -> Iterator[Encoded]:
        """Their grey values."""
        return (Encoded(self._images[row], f"digit {row}") for row in rows)

    def identity(self) -> Iterator[bytes]:
        """All grey values."""
        yield self._images.tobytes()


def load_digits(size: int = 32, limit: int | None = None, mirror: bool = False, stream: bool | None = None) -> Dataset:
    """Digits 0 to 9, split 50/20/30, from 8x8 pixels to [3, size, size] with three equal channels.

    DataError for a size or limit out of range.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    bunch = sklearn_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # the values are 0 to 16
    pool = Pool("digits", tuple("0123456789"), bunch.target.astype(np.int64), _Grey(grey))
    options = ImageOptions(
        size, limit, validation_fraction=0.2, test_fraction=0.3, mirror=mirror, seed=0, stream=stream
    )
    return assemble("digits", pool, None, options)
