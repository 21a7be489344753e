"""The handwritten digits that come with scikit-learn: 1797 images, no download."""

import numpy as np

from hwnas.data._assemble import Pool, assemble
from hwnas.data._base import Dataset, Images, Labels
from hwnas.data._decode import to_array
from hwnas.data.options import ImageOptions


def load_digits(size: int = 32, limit: int | None = None, mirror: bool = False) -> Dataset:
    """Digits 0 to 9, split 50/20/30, from 8x8 pixels to [3, size, size] with three equal channels.

    DataError for a size or limit out of range.
    """
    from PIL import Image
    from sklearn.datasets import load_digits as sklearn_digits

    bunch = sklearn_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # the values are 0 to 16

    def read(rows: Labels, size: int) -> Images:
        return np.stack([to_array(Image.fromarray(grey[row]), size) for row in rows])

    pool = Pool("digits", tuple("0123456789"), bunch.target.astype(np.int64), read)
    options = ImageOptions(size, limit, validation_fraction=0.2, test_fraction=0.3, mirror=mirror, seed=0)
    return assemble("digits", pool, None, options)
