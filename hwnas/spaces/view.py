"""One way to see a network: what predictors learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """`encode` turns genotypes [n, genes] into features [n, f].

    `trend` marks a few numbers that accuracy is expected to rise or fall with, even far from what has been seen;
    `share` is how much of the spread of accuracies the view is expected to explain, relative to the other views.
    """

    name: str
    encode: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    trend: bool = False
    share: float = 1.0
