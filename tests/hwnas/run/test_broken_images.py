"""An image that cannot be read stops a run with its name, or is left out when that was asked for."""

import numpy as np
import pytest
from PIL import Image

from hwnas.data import DataError
from hwnas.run import Run, Settings


@pytest.fixture
def photos(tmp_path):
    """Two classes of twenty images each, one of them cut short."""
    for name, grey in (("cat", 40), ("dog", 200)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for i in range(20):
            Image.fromarray(np.full((8, 8, 3), grey + i, np.uint8)).save(folder / f"{i:02}.png")
    content = (folder / "07.png").read_bytes()
    (folder / "07.png").write_bytes(content[: len(content) // 2])
    return tmp_path / "photos"


def test_it_is_named(photos, listener, tmp_path):
    with Run(Settings(data=str(photos)), tmp_path / "run", listener) as run, pytest.raises(DataError, match=r"07\.png"):
        _ = run.accuracy_model.batches


def test_it_is_left_out_and_said(photos, listener, tmp_path):
    with Run(Settings(data=str(photos), skip_broken=True), tmp_path / "run", listener) as run:
        data = run.accuracy_model.batches.data
    assert len(data.train) + len(data.validation) + len(data.test) == 39
    (said,) = [text for text in listener.said if "skipped" in text]
    assert "1 broken image(s) skipped" in said
    assert "07.png" in said
