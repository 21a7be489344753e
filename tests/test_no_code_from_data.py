"""Data is never run: no pickle, no eval, no loader that may call what a file names."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    source
    for room in ("latency_tables", "profilers", "hwnas", "deploy", "benchmarks")
    for source in (REPOSITORY / room).rglob("*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"torch.load", "np.load", "numpy.load", "pd.read_pickle", "os.system", "os.popen", "importlib.import_module"}


def offences(source):
    """Lines that could run what a file says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            shell = any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords)
            if called in BUILTINS | CALLS or shell:
                found.append(f"{node.lineno}: {called}")
        found += [f"{node.lineno}: {name}" for name in names if name.split(".")[0] in MODULES]
    return found


def test_our_sources_run_no_data():
    assert len(SOURCES) > 50
    bad = {str(s.relative_to(REPOSITORY)): found for s in SOURCES if (found := offences(s.read_text()))}
    assert bad == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import os.path, yaml",
        "eval(text)",
        "x = [exec(a) for a in b]",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_the_net_has_no_hole(source):
    assert offences(source)


@pytest.mark.parametrize("source", ["model.eval()", "json.loads(text)", "re.compile(x)", "import pickles"])
def test_the_net_lets_the_harmless_through(source):
    assert not offences(source)
