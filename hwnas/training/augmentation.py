"""How training images are changed so that no epoch shows the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.data import Boxes
from hwnas.training.trivial import trivially_augmented

Uniforms = NDArray[np.float64]
UNIFORMS = 10  # random numbers per image: every choice below has its own
_ROW, _COLUMN, _MIRROR, _OP, _LEVEL, _SIGN, _AREA, _ASPECT, _LEFT, _TOP = range(UNIFORMS)
_AREAS, _ASPECTS = (0.08, 1.0), (3 / 4, 4 / 3)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images.

    `shift` by up to an eighth of the side, edge pixels repeated; `mirror` half of them, None where the dataset allows
    it; `trivial`: one random operation each, TrivialAugment (Müller & Hutter 2021); `resized_crop`: a box of 8 to 100 %
    of the area, aspect 3/4 to 4/3, stretched to the full size (Szegedy et al. 2015), cut out of the image as it is in
    its file where it is streamed. `mixup` (Zhang et al. 2018) and `cutmix` (Yun et al. 2019) are the alpha of their
    Beta distribution, 0 is none; with both, half of the batches get either.
    """

    shift: bool = True
    mirror: bool | None = None
    trivial: bool = False
    resized_crop: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, not 0 or more")

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with each other."""
        return self.mixup > 0 or self.cutmix > 0

    def boxes(self, uniforms: Uniforms) -> Boxes | None:
        """What to cut out of each image: left, top, right, bottom [n, 4] as fractions of the sides, or None for all."""
        if not self.resized_crop:
            return None
        area = _AREAS[0] + uniforms[:, _AREA] * (_AREAS[1] - _AREAS[0])
        low, high = np.log(_ASPECTS)
        aspect = np.exp(low + uniforms[:, _ASPECT] * (high - low))
        sides = np.minimum(np.sqrt(np.stack([area * aspect, area / aspect], axis=1)), 1)
        corner = uniforms[:, [_LEFT, _TOP]] * (1 - sides)
        return np.concatenate([corner, corner + sides], axis=1)

    def apply(self, images: NDArray[np.uint8], uniforms: Uniforms, mirror: bool) -> NDArray[np.uint8]:
        """Changed copies of images uint8 [n, 3, h, w], decided by `uniforms` [n, UNIFORMS] in [0, 1).

        `mirror`: the dataset's own word on it.
        """
        if self.shift or (mirror if self.mirror is None else self.mirror):
            images = self._moved(images, uniforms, mirror if self.mirror is None else self.mirror)
        return trivially_augmented(images, uniforms[:, [_OP, _LEVEL, _SIGN]]) if self.trivial else images

    def _moved(self, images: NDArray[np.uint8], uniforms: Uniforms, mirror: bool) -> NDArray[np.uint8]:
        n, _, height, width = images.shape
        reach = max(1, height // 8) if self.shift else 0
        padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
        start = (uniforms[:, [_ROW, _COLUMN]] * (2 * reach + 1)).astype(np.int64)
        rows, columns = start[:, :1] + np.arange(height), start[:, 1:] + np.arange(width)
        if mirror:
            columns = np.where(uniforms[:, _MIRROR, None] < 0.5, columns[:, ::-1], columns)
        moved = padded[np.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        return np.ascontiguousarray(moved.transpose(0, 3, 1, 2))


SHIFTED_AND_MIRRORED = Augmentation()
