"""Student's t: how wide a 95 % interval is when the spread itself is estimated from a few values."""

from __future__ import annotations

# 97.5 % quantiles for 1, 2, ... 30 degrees of freedom. A table, so that a board needs no scipy.
_QUANTILES = (
    *(12.70620474, 4.302652730, 3.182446305, 2.776445105, 2.570581836, 2.446911851, 2.364624252, 2.306004135),
    *(2.262157163, 2.228138852, 2.200985160, 2.178812830, 2.160368656, 2.144786688, 2.131449546, 2.119905299),
    *(2.109815578, 2.100922040, 2.093024054, 2.085963447, 2.079613845, 2.073873068, 2.068657610, 2.063898562),
    *(2.059538553, 2.055529439, 2.051830516, 2.048407142, 2.045229642, 2.042272456),
)
_NORMAL = 1.959963984540054


def student_975(degrees: int) -> float:
    """The 97.5 % quantile of Student's t: ten digits up to 30 degrees of freedom, off by less than 1e-6 beyond.

    Beyond: three terms of its expansion around the normal quantile (Abramowitz & Stegun 1964, 26.7.5).
    """
    if degrees < 1:
        raise ValueError(f"at least one degree of freedom, got {degrees}")
    if degrees <= len(_QUANTILES):
        return _QUANTILES[degrees - 1]
    z = _NORMAL
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
