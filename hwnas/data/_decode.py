"""Encoded images to arrays, with Pillow."""

import contextlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hwnas.data._base import Boxes, DataError, Decoded, Fetched, Images, reason

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# only these are tried: Pillow has others that run outside programs
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")


RESIZING = "turned upright as their EXIF says, then stretched to the input's size by Pillow's bilinear filter"
"""How images get their size: for whoever feeds a network that was trained on them."""


def to_array(image: "PillowImage", size: int, box: Boxes | None = None) -> Images:
    """uint8 [3, size, size] of a Pillow image, as RGB, stretched bilinearly where its size differs.

    `box` [4], left, top, right, bottom as fractions of the width and height, takes the place of the whole image.
    """
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel: convert() would clip all but the darkest to white
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    rgb = image.convert("RGB")
    if box is not None:
        left, top, right, bottom = map(float, box * np.tile(rgb.size, 2))
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR, (left, top, right, bottom))
    elif rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(rgb).transpose(2, 0, 1)


def cropped(image: Images, box: Boxes) -> Images:
    """A box of an image uint8 [3, size, size], stretched to the size of the image."""
    from PIL import Image

    return to_array(Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))), image.shape[1], box)


def _turn_upright(image: "PillowImage") -> None:
    """Cameras write into the EXIF data which side is up; an image whose EXIF data are broken stays as it is."""
    from PIL import ImageOps

    image.load()
    with contextlib.suppress(Exception):  # on bad bytes Pillow raises almost anything here too
        ImageOps.exif_transpose(image, in_place=True)


def decode(source: bytes | Path, size: int, where: str, box: Boxes | None = None) -> Images:
    """uint8 [3, size, size] of an encoded image or a box of it; DataError that starts with `where` if there is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of corrupt EXIF data, for one
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                _turn_upright(image)
                return to_array(image, size, box)
    except UnidentifiedImageError as error:
        raise DataError(f"{where}: not an image in {', '.join(FORMATS)}; replace it or take it out") from error
    except Exception as error:  # on bad bytes Pillow's decoders raise almost anything
        raise DataError(f"{where}: unreadable image ({reason(error)}); replace it or take it out") from error


@dataclass(frozen=True)
class Encoded:
    """One image as it lies in its file, or the grey values [h, w] of one; `where` is for errors."""

    content: bytes | Path | Images
    where: str

    def decode(self, size: int, box: Boxes | None = None) -> Images:
        """uint8 [3, size, size] of the image, or of a box of it; raises `DataError`."""
        from PIL import Image

        if isinstance(self.content, np.ndarray):
            return to_array(Image.fromarray(self.content), size, box)
        return decode(self.content, size, self.where, box)


Item: TypeAlias = Encoded | DataError
"""An image, or why it could not be read."""


def decode_items(
    items: Iterable[Item], count: int, size: int, skip_broken: bool, boxes: Boxes | None = None
) -> Decoded:
    """All `count` images, or the boxes of them [count, 4]; raises `DataError` for a broken one unless it is skipped."""
    images = np.empty((count, 3, size, size), np.uint8)
    positions: list[int] = []
    broken: list[str] = []
    for i, item in enumerate(items):
        try:
            if isinstance(item, DataError):
                raise item
            images[len(positions)] = item.decode(size, None if boxes is None else boxes[i])
            positions.append(i)
        except DataError as error:
            if not skip_broken:
                raise
            broken.append(str(error))
    return Decoded(images[: len(positions)], np.array(positions, np.int64), tuple(broken))


@dataclass(frozen=True)
class EncodedImages(Fetched):
    """Images still to be decoded to [3, size, size]; broken ones are left out where `skip_broken`."""

    items: Sequence[Item]
    size: int
    skip_broken: bool

    def decode(self, boxes: Boxes | None = None) -> Decoded:
        """All images, or the boxes of them."""
        return decode_items(self.items, len(self.items), self.size, self.skip_broken, boxes)
