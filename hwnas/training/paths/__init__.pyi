from ._base import PathSampler as PathSampler
from .balanced import BalancedPaths as BalancedPaths
from .by_name import path_sampler as path_sampler
from .fair import FairPaths as FairPaths
from .importance import ImportancePaths as ImportancePaths
from .sandwich import SandwichPaths as SandwichPaths
from .uniform import UniformPaths as UniformPaths
