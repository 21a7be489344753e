"""From a name on the command line to a search space."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hwnas.spaces.macro.space import NasBenchMacro
from hwnas.spaces.mbconv.presets import PRESETS, mbconv_space
from hwnas.spaces.nb101.space import NasBench101
from hwnas.spaces.nb201.space import NasBench201
from hwnas.spaces.regnet.space import REGNET_PRESETS, regnet_space
from hwnas.spaces.space import SearchSpace
from latency_tables import HwnasError

SPACES: dict[str, Callable[[int], SearchSpace]] = {
    **{name: partial(mbconv_space, name) for name in PRESETS},
    **{name: partial(regnet_space, name) for name in REGNET_PRESETS},
    "nb201": NasBench201,
    "nb101": NasBench101,
    "nasbench-macro": NasBenchMacro,
}


def load_space(name: str, num_classes: int = 10) -> SearchSpace:
    """A space that ships, by name, or your own as `path/to/file.py:ClassName`, made with `num_classes`.

    Your file is run: name only files you trust. Raises `HwnasError` in one line when there is no such space.
    """
    file, colon, class_name = name.rpartition(":")
    if not colon:
        if name not in SPACES:
            raise HwnasError(f"unknown space {name!r}; there are {', '.join(SPACES)}, or your own: file.py:ClassName")
        return SPACES[name](num_classes)
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None or not Path(file).is_file():
        raise HwnasError(f"space {name!r}: {file} is not a Python file; write path/to/file.py:ClassName")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as e:  # whatever the user's own file does
        raise HwnasError(f"space {name!r}: {file} does not run: {type(e).__name__}: {e}") from e
    kind = getattr(module, class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, SearchSpace)):
        raise HwnasError(f"space {name!r}: {file} has no SearchSpace called {class_name}")
    try:
        return kind(num_classes=num_classes)  # type: ignore[call-arg]
    except TypeError as e:
        raise HwnasError(f"space {name!r}: {class_name}(num_classes={num_classes}) fails: {e}") from e
