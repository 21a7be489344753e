"""From the text of `--workers` to workers."""

from __future__ import annotations

import re

from hwnas.workers._base import Workers
from hwnas.workers.in_process import InProcess
from hwnas.workers.ray_workers import RayWorkers
from latency_tables import HwnasError


def make_workers(text: str) -> Workers:
    """`here`, `local` or `local:4` (Ray on this machine), `auto` (the Ray cluster it belongs to), `ray://host:10001`.

    Nothing is started or reached before the workers are entered. Raises `HwnasError` for any other text, and where Ray
    is not installed.
    """
    if text == "here":
        return InProcess()
    if found := re.fullmatch(r"local(?::([1-9]\d*))?", text):
        return RayWorkers(cpus=int(found[1]) if found[1] else None)
    if text == "auto" or re.fullmatch(r"ray://[^\s/:]+:\d+", text):
        return RayWorkers(text)
    raise HwnasError(f"unknown --workers {text!r}; there are here, local, local:4, auto, ray://host:10001")
