from dataclasses import fields, replace

import pytest

from latency_tables import ProfilerError
from profilers.runtimes.tensorrt.timing_cache import TimingKey, read_timing_cache, write_timing_cache

KEY = TimingKey("NVIDIA A10", "8.6", "580.82", "13.0", "10.16.1", 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.timing"


def test_a_cache_is_read_again_where_it_is_true(path):
    assert read_timing_cache(path, KEY) == b""
    write_timing_cache(path, KEY, b"times")
    assert read_timing_cache(path, KEY) == b"times"


@pytest.mark.parametrize("name", [field.name for field in fields(TimingKey)])
def test_one_of_another_place_is_refused_by_the_field(path, name):
    write_timing_cache(path, KEY, b"times")
    other = replace(KEY, **{name: 5 if name == "level" else "other"})
    with pytest.raises(
        ProfilerError, match=rf" is of {name} {getattr(KEY, name)}, this is (other|5); use another file$"
    ):
        read_timing_cache(path, other)


def test_a_half_written_cache_reads_as_none(path):
    path.write_bytes(b"half")
    assert read_timing_cache(path, KEY) == b""


def test_a_damaged_key_is_one_line(path):
    write_timing_cache(path, KEY, b"times")
    path.with_name(f"{path.name}.json").write_text("{")
    with pytest.raises(ProfilerError, match=r"cannot read the timing cache .*; delete it$"):
        read_timing_cache(path, KEY)
