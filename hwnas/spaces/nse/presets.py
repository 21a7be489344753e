"""The NSE spaces that ship, by name."""

from __future__ import annotations

from hwnas.spaces.nse.pool import Candidate, convolutions, factorised, inverted_residuals
from hwnas.spaces.nse.space import NSESpace, Preset
from latency_tables import HwnasError


def _mobile(name: str, pool: tuple[Candidate, ...], late: int = 0) -> Preset:
    return Preset(name, 224, (16, 24, 40, 80, 96, 192, 320), "NRNNNRNNNRNNNENNNRNNNE", pool, 1024, late)


def _first_pool() -> tuple[Candidate, ...]:
    return (*inverted_residuals((3, 5, 7, 9, 11), dilations=(1, 2, 3)), *factorised())


def _nse_27() -> Preset:
    return _mobile("nse-27", _first_pool())


def _nse_72() -> Preset:
    """The paper's second space: grouped 1x1 convolutions, taken up once the first pool is used up."""
    kernels, grouped = (3, 5, 7, 9, 11), ((1, 2), (2, 1), (2, 2))
    more = [candidate for groups in grouped for candidate in inverted_residuals(kernels, groups)]
    return _mobile("nse-72", (*_first_pool(), *more), late=len(more))


def _nse_gpu() -> Preset:
    pool = (*inverted_residuals((3, 5, 7)), *convolutions(), *factorised())
    return Preset("nse-gpu", 224, (16, 32, 64, 128, 256), "NRNNNRNNNRNNNNNNNRNNN", pool, head_width=1024)


def _nse_32() -> Preset:
    """For images of 32 x 32 and minutes of a CPU: ten branches at seven places."""
    residuals = (c for c in inverted_residuals((3, 5), dilations=(1, 2)) if c.expand > 1)
    pool = (*residuals, Candidate("factorised", 5, 2), *convolutions())
    return Preset("nse-32", 32, (16, 32, 64), "NRNNRNN", tuple(pool), head_width=256)


NSE_PRESETS = {"nse-32": _nse_32, "nse-27": _nse_27, "nse-72": _nse_72, "nse-gpu": _nse_gpu}


def nse_space(name: str, num_classes: int = 10) -> NSESpace:
    """One of the spaces that ship; raises `HwnasError` naming them all for an unknown one."""
    if name not in NSE_PRESETS:
        raise HwnasError(f"unknown space {name!r}; there are {', '.join(NSE_PRESETS)}")
    return NSESpace(NSE_PRESETS[name](), num_classes)
