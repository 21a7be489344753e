"""`import hwnas`: the names that a user needs, each imported when it is first used."""

import subprocess
import sys
from pathlib import Path

import pytest

import hwnas

HEAVY = "print('imported', sorted({'torch', 'onnx', 'onnxruntime', 'pymoo', 'matplotlib', 'ray'} & set(sys.modules)))"


def last_line(code):
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_exactly_these_names():
    names = """
        AccuracyEstimator ArchError Budget HwnasError InfeasibleBudget LatencyModel MissingOpError Op Problem
        ProfilerError Run SearchSpace Settings Slot TableError __version__ best_network exact_front load_space
        load_table make_strategy search
    """
    assert hwnas.__all__ == names.split()


def test_every_lazy_name_is_there():
    import hwnas.accuracy
    import hwnas.accuracy.predictors
    import hwnas.search
    import hwnas.training

    for package in (hwnas, hwnas.search, hwnas.accuracy, hwnas.accuracy.predictors, hwnas.training):
        for name in package.__all__:
            assert getattr(package, name) is not None, name


@pytest.mark.parametrize(
    "names",
    [
        "__version__",
        "load_space, load_table, LatencyModel, best_network, Budget",
        "Problem, search, exact_front, AccuracyEstimator, SearchSpace, Op, Slot",
        "HwnasError, TableError, MissingOpError, ProfilerError, InfeasibleBudget, ArchError",
    ],
)
def test_whoever_only_prices_a_table_imports_nothing_heavy(names):
    assert last_line(f"import sys\nfrom hwnas import {names}\n{HEAVY}") == "imported []"


def test_an_exact_search_on_a_table_that_ships_needs_no_torch():
    code = """
import sys
from latency_tables.storage.find import shipped_tables
from hwnas import Budget, LatencyModel, load_space, load_table
from hwnas.search import fastest
folder = sorted(p.parent for p in shipped_tables().rglob("fp32-1t/mbconv-32/provenance.json"))[0]
space = load_space("mbconv-32")
model = LatencyModel(load_table(folder), space)
assert len(model.predict(fastest(space, model)[None]).ms) == 1
"""
    assert last_line(code + HEAVY) == "imported []"


@pytest.mark.parametrize(
    "imports",
    [
        "from hwnas import search",
        "import hwnas; search = hwnas.search",
        "import hwnas.search; from hwnas import search",
        "from hwnas.search import Budget; from hwnas import search",
        "from hwnas import search; import hwnas.search as rooms; rooms.Budget, rooms.adjust.__call__",
        "import hwnas.search.adjust; from hwnas.search import adjust; adjust.__call__; from hwnas import search",
        "from hwnas.search import search",
    ],
)
def test_search_can_be_called_in_whatever_order_it_was_imported(imports):
    code = f"""
{imports}
try:
    search()
except TypeError as e:
    print(e)
"""
    assert last_line(code).startswith("search() missing")


def test_every_package_is_typed():
    for package in ("hwnas", "latency_tables", "profilers", "deploy"):
        assert (Path(hwnas.__file__).parents[1] / package / "py.typed").exists()
