"""Search spaces: genotypes, ops, torch modules."""

from hwnas.spaces._base import ArchError, Genotype, Population, SearchSpace, unique_genotypes
from hwnas.spaces.additive import AdditiveCost
from hwnas.spaces.arch_table import ArchTable, ArchTableError
from hwnas.spaces.every import every_network
from hwnas.spaces.load import load_space
from hwnas.spaces.mbconv import MBConvSpace
from hwnas.spaces.nasbench_macro import NasBenchMacro
from hwnas.spaces.nb101_space import NasBench101
from hwnas.spaces.nb201_space import NasBench201
from hwnas.spaces.presets import PRESETS, mbconv_space
from hwnas.spaces.regnet import RegNetSpace, regnet_space
from hwnas.spaces.view import View

__all__ = [
    "PRESETS",
    "AdditiveCost",
    "ArchError",
    "ArchTable",
    "ArchTableError",
    "Genotype",
    "MBConvSpace",
    "NasBench101",
    "NasBench201",
    "NasBenchMacro",
    "Population",
    "RegNetSpace",
    "SearchSpace",
    "View",
    "every_network",
    "load_space",
    "mbconv_space",
    "regnet_space",
    "unique_genotypes",
]
