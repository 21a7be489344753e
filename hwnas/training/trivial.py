"""TrivialAugment (Müller & Hutter 2021, 2103.10158), the wide space: one random operation of random strength an image.

With Pillow: kornia's takes one operation per call, so it must be called once per image; 64 images of 32 (224) pixels
took it 162 (278) ms of one core, this 15 (81) ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Op: TypeAlias = Callable[["PillowImage", float], "PillowImage"]
_LEVELS = 31
_SHEAR, _PIXELS, _DEGREES, _ENHANCE, _BITS = 0.99, 32.0, 135.0, 0.99, 6  # at the last level


def _affine(*matrix: Callable[[float], float]) -> Op:
    from PIL import Image

    def op(image: PillowImage, level: float) -> PillowImage:
        return image.transform(image.size, Image.Transform.AFFINE, [entry(level) for entry in matrix])

    return op


def _enhanced(name: str) -> Op:
    from PIL import ImageEnhance

    def op(image: PillowImage, level: float) -> PillowImage:
        return getattr(ImageEnhance, name)(image).enhance(1 + level * _ENHANCE)  # type: ignore[no-any-return]

    return op


def operations() -> dict[str, Op]:
    """By name: an image and a level in [-1, 1]; those that know no direction take its size."""
    from PIL import ImageOps

    def zero(level: float) -> float:
        return 0

    def one(level: float) -> float:
        return 1

    def shear(level: float) -> float:
        return level * _SHEAR

    def pixels(level: float) -> float:
        return level * _PIXELS

    return {
        "identity": lambda image, level: image,
        "shear_x": _affine(one, shear, zero, zero, one, zero),
        "shear_y": _affine(one, zero, zero, shear, one, zero),
        "translate_x": _affine(one, zero, pixels, zero, one, zero),
        "translate_y": _affine(one, zero, zero, zero, one, pixels),
        "rotate": lambda image, level: image.rotate(level * _DEGREES),
        "brightness": _enhanced("Brightness"),
        "color": _enhanced("Color"),
        "contrast": _enhanced("Contrast"),
        "sharpness": _enhanced("Sharpness"),
        "posterize": lambda image, level: ImageOps.posterize(image, 8 - round(abs(level) * _BITS)),
        "solarize": lambda image, level: ImageOps.solarize(image, round(255 * (1 - abs(level)))),
        "autocontrast": lambda image, level: ImageOps.autocontrast(image),
        "equalize": lambda image, level: ImageOps.equalize(image),
    }


def trivially_augmented(images: NDArray[np.uint8], uniforms: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Changed copies of images uint8 [n, 3, h, w]; `uniforms` [n, 3] in [0, 1) choose operation, level and sign."""
    from PIL import Image

    ops = list(operations().values())
    changed = np.empty_like(images)
    for i, (op, level, sign) in enumerate(uniforms):
        strength = int(level * _LEVELS) / (_LEVELS - 1) * (-1 if sign < 0.5 else 1)
        image = Image.fromarray(np.ascontiguousarray(images[i].transpose(1, 2, 0)))
        changed[i] = np.asarray(ops[int(op * len(ops))](image, strength)).transpose(2, 0, 1)
    return changed
