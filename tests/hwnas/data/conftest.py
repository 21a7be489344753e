import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

CIFAR = Path(__file__).resolve().parents[3].parent / "shared/data/cifar10"


def encode(colour, size=4, kind="PNG"):
    """An encoded square image whose pixels all have this colour: a number, or three for red, green, blue."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), colour, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def png():
    return encode


@pytest.fixture(scope="session")
def png_claiming():
    """A PNG whose header claims side x side pixels and that holds none."""

    def make(side):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
        body = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
        return b"\x89PNG\r\n\x1a\n" + b"".join(body)

    return make


@pytest.fixture(scope="session")
def write_parquet():
    """Write images and labels; by default image i is all of value i."""

    def write(path, labels, images=None, names=None, flat=False):
        images = [encode(i % 256) for i in range(len(labels))] if images is None else images
        if flat:
            columns = {"image.bytes": pa.array(images, pa.binary())}
        else:
            kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
            columns = {"image": pa.array([{"bytes": b, "path": f"{i}.png"} for i, b in enumerate(images)], kind)}
        table = pa.table({**columns, "label": labels})
        if names is not None:
            features = {"label": {"names": names, "_type": "ClassLabel"}}
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(table, path)
        return path

    return write


@pytest.fixture(scope="session")
def cifar():
    if not (CIFAR / "train.parquet").exists():
        pytest.skip("the CIFAR-10 Parquet files are not in shared/data/cifar10 beside the repository")
    return CIFAR
