"""Encoded images to arrays, with Pillow."""

import contextlib
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwnas.data._base import DataError, Images, reason

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# only these are tried: Pillow has others that run outside programs
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")


RESIZING = "turned upright as their EXIF says, then stretched to the input's size by Pillow's bilinear filter"
"""How images get their size: for whoever feeds a network that was trained on them."""


def to_array(image: "PillowImage", size: int) -> Images:
    """uint8 [3, size, size] of a Pillow image, as RGB, stretched bilinearly where its size differs."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel: convert() would clip all but the darkest to white
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    rgb = image.convert("RGB")
    if rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(rgb).transpose(2, 0, 1)


def _turn_upright(image: "PillowImage") -> None:
    """Cameras write into the EXIF data which side is up; an image whose EXIF data are broken stays as it is."""
    from PIL import ImageOps

    image.load()
    with contextlib.suppress(Exception):  # on bad bytes Pillow raises almost anything here too
        ImageOps.exif_transpose(image, in_place=True)


def decode(source: bytes | Path, size: int, where: str) -> Images:
    """uint8 [3, size, size] of an encoded image; DataError that starts with `where` if there is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of corrupt EXIF data, for one
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                _turn_upright(image)
                return to_array(image, size)
    except UnidentifiedImageError as error:
        raise DataError(f"{where}: not an image in {', '.join(FORMATS)}; replace it or take it out") from error
    except Exception as error:  # on bad bytes Pillow's decoders raise almost anything
        raise DataError(f"{where}: unreadable image ({reason(error)}); replace it or take it out") from error
