"""Search spaces: genotypes, ops, torch modules."""

from hwnas.spaces._base import ArchError, Genotype, Population, SearchSpace, unique_genotypes
from hwnas.spaces.load import load_space
from hwnas.spaces.mbconv import MBConvSpace
from hwnas.spaces.presets import PRESETS, mbconv_space

__all__ = [
    "PRESETS",
    "ArchError",
    "Genotype",
    "MBConvSpace",
    "Population",
    "SearchSpace",
    "load_space",
    "mbconv_space",
    "unique_genotypes",
]
