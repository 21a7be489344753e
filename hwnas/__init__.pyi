from . import search as _search
from ._latency_tables import HwnasError as HwnasError
from ._latency_tables import LatencyModel as LatencyModel
from ._latency_tables import MissingOpError as MissingOpError
from ._latency_tables import Op as Op
from ._latency_tables import ProfilerError as ProfilerError
from ._latency_tables import Slot as Slot
from ._latency_tables import TableError as TableError
from ._latency_tables import load_table as load_table
from ._version import __version__ as __version__
from .accuracy import AccuracyEstimator as AccuracyEstimator
from .run import Run as Run
from .run import Settings as Settings
from .search import Budget as Budget
from .search import InfeasibleBudget as InfeasibleBudget
from .search import Problem as Problem
from .search import best_network as best_network
from .search import exact_front as exact_front
from .search import make_strategy as make_strategy
from .spaces import ArchError as ArchError
from .spaces import SearchSpace as SearchSpace
from .spaces import load_space as load_space

# At run time `hwnas.search` is the package, which can be called: see there.
search = _search.search
