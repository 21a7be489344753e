"""Every name of TensorRT that our code uses, against what six versions of it really have."""

import ast
import json
from pathlib import Path

import pytest

from profilers import Engine
from profilers.runtimes import tensorrt

NAMES = Path(__file__).parents[5] / "shared" / "facts" / "tensorrt_api_names.json"
# Classes whose members were not listed, or which are no classes of the package.
UNLISTED = {"ILogger", "LayerType", "IConvolutionLayer", "__version__"}


def used():
    """Chains below `trt`, as ("BuilderFlag", "TF32")."""
    for path in sorted(Path(tensorrt.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            words = []
            while isinstance(node, ast.Attribute):
                words.insert(0, node.attr)
                node = node.value
            root = words.pop(0) if words[:1] == ["trt"] else getattr(node, "id", "")
            if words and root == "trt":
                yield tuple(words)


def optional():
    """(enum, name) of every `package.option(...)`, which says in one line which version lacks it."""
    for path in sorted(Path(tensorrt.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "option":
                yield node.args[0].value


def versions():
    if not NAMES.exists():
        pytest.skip(f"the names of six versions are not here: {NAMES.name}")
    return json.loads(NAMES.read_text())


def test_names_are_used():
    assert ("ProfilingVerbosity", "DETAILED") in set(used())
    assert len(set(used())) > 8


def test_every_version_has_every_name_or_it_is_optional():
    missing = []
    for version, names in versions().items():
        for owner, *rest in sorted(set(used())):
            if owner in UNLISTED:
                continue
            known = names["enums"].get(owner) or names["classes"].get(owner)
            if known is None or any(name not in known for name in rest):
                missing.append((version, owner, *rest))
    assert missing == []
    every = set.union(*(set(names["enums"]) for names in versions().values()))
    assert set(optional()) <= every


@pytest.mark.parametrize(
    ("owner", "variables"),
    [
        ("IBuilderConfig", {"config"}),
        ("OnnxParser", {"parser"}),
        ("Builder", {"builder"}),
        ("INetworkDefinition", {"network"}),
        ("ICudaEngine", {"engine", "_engine"}),
        ("IExecutionContext", {"_context"}),
        ("Runtime", {"_runtime"}),
    ],
)
def test_every_version_has_every_member_that_is_asked_of_an_object(owner, variables):
    asked = set()
    for path in sorted(Path(tensorrt.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                of = getattr(node.value, "id", getattr(node.value, "attr", ""))
                asked |= {node.attr} if of in variables else set()
    asked -= set(vars(Engine)) | set(Engine.__dataclass_fields__)  # our own object of that name
    only_rtx = {"num_compute_capabilities", "set_compute_capability"}  # asked for where a capability is named
    assert asked
    for version, names in versions().items():
        lacking = asked - set(names["classes"][owner]) - (set() if "rtx" in version else only_rtx)
        assert not lacking, version
