"""Labelled images for the search: one `Dataset` of three disjoint, stratified splits, whatever the source."""

from hwnas.data._base import Boxes, DataError, Fetched, LabelledImages, Rows, Split, skipped_line
from hwnas.data._dataset import Dataset
from hwnas.data._decode import RESIZING
from hwnas.data.load import check_source, load_dataset
from hwnas.data.options import ImageOptions

__all__ = [
    "RESIZING",
    "Boxes",
    "DataError",
    "Dataset",
    "Fetched",
    "ImageOptions",
    "LabelledImages",
    "Rows",
    "Split",
    "check_source",
    "load_dataset",
    "skipped_line",
]
