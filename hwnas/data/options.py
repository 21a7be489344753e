"""How images are read and split, whatever file or folder they are in."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.data._base import DataError

MAX_SIZE = 1024


@dataclass(frozen=True)
class ImageOptions:
    """Images become [3, size, size]; `limit` keeps that many of them, in proportion to the classes.

    `validation_fraction` of the images are the validation split, and `test_fraction` are the test split where there
    are no test images of their own; `seed` says which. `mirror`: a left-right flip keeps the label.
    `stream`: decode images when they are asked for instead of holding them; None: when they would take more than a
    quarter of the machine's memory. `skip_broken`: leave out files and images that cannot be read instead of raising.
    DataError for a size out of range.
    """

    size: int = 32
    limit: int | None = None
    validation_fraction: float = 0.2
    test_fraction: float = 0.2
    mirror: bool = True
    seed: int = 0
    stream: bool | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIZE:
            raise DataError(f"image size {self.size}: give a number of pixels from 1 to {MAX_SIZE}")

    def fractions(self, *, with_test: bool) -> list[float]:
        """Fractions of train and validation, and of test where `with_test`; DataError unless all are above 0."""
        held_out = [self.validation_fraction, self.test_fraction] if with_test else [self.validation_fraction]
        fractions = [1 - sum(held_out), *held_out]
        if min(fractions) <= 0:
            raise DataError(f"held-out fractions {held_out}: each must be above 0 and their sum below 1")
        return fractions
