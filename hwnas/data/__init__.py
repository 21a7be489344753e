"""Labelled images for the search: one `Dataset` of three disjoint, stratified splits, whatever the source."""

from hwnas.data._base import DataError, Dataset, Split
from hwnas.data._decode import RESIZING
from hwnas.data.load import load_dataset
from hwnas.data.options import ImageOptions

__all__ = ["RESIZING", "DataError", "Dataset", "ImageOptions", "Split", "load_dataset"]
