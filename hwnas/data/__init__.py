"""Labelled images for the search: one `Dataset` of three disjoint, stratified splits, whatever the source."""

from hwnas.data._base import DataError, Dataset, Split
from hwnas.data.load import check_source, load_dataset

__all__ = ["DataError", "Dataset", "Split", "check_source", "load_dataset"]
