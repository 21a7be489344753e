"""From a name on the command line to a search space."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hwnas.spaces.macro.space import NasBenchMacro
from hwnas.spaces.mbconv.presets import PRESETS, mbconv_space
from hwnas.spaces.nb101.space import NasBench101
from hwnas.spaces.nb201.space import NasBench201
from hwnas.spaces.nse.presets import NSE_PRESETS, nse_space
from hwnas.spaces.regnet.space import REGNET_PRESETS, regnet_space
from hwnas.spaces.space import SearchSpace
from latency_tables import HwnasError
from latency_tables.plugins import is_own, make_own

SPACES: dict[str, Callable[[int], SearchSpace]] = {
    **{name: partial(mbconv_space, name) for name in PRESETS},
    **{name: partial(regnet_space, name) for name in REGNET_PRESETS},
    **{name: partial(nse_space, name) for name in NSE_PRESETS},
    "nb201": NasBench201,
    "nb101": NasBench101,
    "nasbench-macro": NasBenchMacro,
}


def load_space(name: str, num_classes: int = 10) -> SearchSpace:
    """A space that ships, by name, or your own as `path/to/file.py:ClassName`, made with `num_classes`.

    Your file is run: name only files you trust. Raises `HwnasError` in one line when there is no such space.
    """
    if is_own(name):
        return make_own(name, SearchSpace, "space", num_classes=num_classes)  # type: ignore[type-abstract]
    if name not in SPACES:
        raise HwnasError(f"unknown space {name!r}; there are {', '.join(SPACES)}, or your own: file.py:ClassName")
    return SPACES[name](num_classes)
