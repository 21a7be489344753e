import io

import numpy as np
import pytest
from PIL import Image

from hwnas.data import DataError
from hwnas.data._decode import decode


def encoded(array, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(array)).save(buffer, kind)
    return buffer.getvalue()


def test_channels_come_first():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    image = decode(encoded(pixels), 2, "x")
    assert image.tolist() == [[[0, 3], [6, 9]], [[1, 4], [7, 10]], [[2, 5], [8, 11]]]
    assert image.dtype == np.uint8


def test_resize_is_bilinear():
    image = decode(encoded(np.array([[0, 255], [0, 255]], np.uint8)), 4, "x")
    assert image.shape == (3, 4, 4)
    assert image[1, 2].tolist() == [0, 64, 191, 255]  # 255 times 0, 1/4, 3/4, 1


def test_sixteen_bits_are_scaled_not_clipped():
    image = decode(encoded(np.array([[0, 256], [32768, 65535]], np.uint16)), 2, "x")
    assert image[0].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (4, (1, 0)), (5, (0, 0)), (6, (0, 1)), (7, (1, 1)), (8, (1, 0))],
)
def test_photos_are_turned_upright_as_their_exif_says(kind, orientation, corner):
    """Where the bright top left quarter of what the sensor saw belongs, from the table of the EXIF standard."""
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:16, :16] = 255
    photo, exif, buffer = Image.fromarray(pixels), Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    photo.save(buffer, kind, exif=exif)
    quarters = decode(buffer.getvalue(), 32, "x")[0].reshape(2, 16, 2, 16).mean(axis=(1, 3))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == corner
    assert sorted(quarters.ravel() > 200) == [False, False, False, True]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("data", [b"MM\0*\0\0\0\x08\xff\xffno EXIF data", b"no EXIF data at all", b""])
def test_an_image_with_broken_exif_data_is_read_as_it_lies(png, data):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png(77))).save(buffer, "JPEG", exif=b"Exif\0\0" + data)
    assert np.abs(decode(buffer.getvalue(), 4, "x").astype(int) - 77).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF"])
def test_formats(png, kind):
    assert np.abs(decode(png(100, kind=kind), 4, "x").astype(int) - 100).max() <= 1


@pytest.mark.parametrize("make", [lambda b: b"", lambda b: b"hello", lambda b: b[: len(b) // 2], lambda b: b[:-25]])
def test_broken_bytes(png, make):
    with pytest.raises(DataError, match=r"^here: .*replace it or take it out$"):
        decode(make(png(3, size=32)), 4, "here")


def test_a_format_that_runs_programs_is_not_tried():
    with pytest.raises(DataError, match="here: not an image in PNG, JPEG"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n", 4, "here")


@pytest.mark.parametrize("side", [12_000, 30_000])  # Pillow warns of the first and raises for the second
def test_decompression_bombs(png_claiming, side):
    with pytest.raises(DataError, match=r"here: .*decompression bomb"):
        decode(png_claiming(side), 4, "here")
