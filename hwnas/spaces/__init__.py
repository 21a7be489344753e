"""Search spaces: genotypes, ops, torch modules."""

from hwnas.spaces.arch_table import ArchTable, ArchTableError
from hwnas.spaces.encodings import View
from hwnas.spaces.enumerate import every_network
from hwnas.spaces.genotypes import ArchError, unique_genotypes
from hwnas.spaces.load import load_space
from hwnas.spaces.macro.space import NasBenchMacro
from hwnas.spaces.mbconv.presets import PRESETS, mbconv_space
from hwnas.spaces.mbconv.space import MBConvSpace
from hwnas.spaces.nb101.space import NasBench101
from hwnas.spaces.nb201.space import NasBench201
from hwnas.spaces.regnet.space import RegNetSpace, regnet_space
from hwnas.spaces.space import SearchSpace
from hwnas.spaces.subspace import Subspace
from latency_tables.additive import Slot
from latency_tables.arrays import Genotype, Population

__all__ = [
    "PRESETS",
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
    "Slot",
    "Subspace",
    "View",
    "every_network",
    "load_space",
    "mbconv_space",
    "regnet_space",
    "unique_genotypes",
]
