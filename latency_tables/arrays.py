"""The arrays that everything passes around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Genotype = NDArray[np.int64]
"""One network: an integer per gene, [genes]."""
Population = NDArray[np.int64]
"""Many networks, [n, genes]."""
Function = Callable[[Population], Floats]
"""Something of networks: genotypes [n, genes] to numbers [n]."""
