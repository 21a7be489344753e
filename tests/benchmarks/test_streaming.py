import json
from dataclasses import asdict

from benchmarks._streaming import Streamed, write_shards
from hwnas.data import load_dataset


def test_shards_hold_as_many_images_as_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks._streaming._DIFFERENT", 50)
    monkeypatch.setattr("benchmarks._streaming._PER_SHARD", 300)
    assert write_shards(tmp_path, 700, 0) > 0
    assert len(list(tmp_path.iterdir())) == 3
    data = load_dataset(str(tmp_path), size=16, stream=True)
    assert len(data.train) + len(data.validation) + len(data.test) == 700
    assert data.num_classes == 10


def test_what_was_measured_comes_back_as_it_was():
    one = Streamed(1.5, 2.5, 3.5, 4)
    assert Streamed.read(json.dumps(asdict(one))) == one
