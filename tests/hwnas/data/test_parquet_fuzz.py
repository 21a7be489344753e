import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwnas.data import DataError, ImageOptions
from hwnas.data.parquet import load_parquet


@pytest.fixture(scope="module")
def whole(tmp_path_factory, write_parquet):
    path = tmp_path_factory.mktemp("fuzz") / "whole.parquet"
    return write_parquet(path, [0, 1] * 6, names=["a", "b"]).read_bytes()


def loads_or_says_why(path, content):
    path.write_bytes(content)
    data, message = None, ""
    try:
        data = load_parquet(path, ImageOptions(size=4))
    except DataError as error:
        message = str(error)
    if data is None:
        assert message.startswith(str(path))
        assert "\n" not in message
        return False
    assert len(data.train) + len(data.validation) + len(data.test) >= 6
    for split in (data.train, data.validation, data.test):
        assert set(split.labels.tolist()) == set(range(data.num_classes))
        assert split.images.shape == (len(split), 3, 4, 4)
    return True


# the folder is shared by the examples: each one overwrites the file
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_truncated(tmp_path, whole, data):
    length = data.draw(st.integers(0, len(whole) - 1))
    assert not loads_or_says_why(tmp_path / "cut.parquet", whole[:length])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bits(tmp_path, whole, data):
    content = bytearray(whole)
    for bit in data.draw(st.lists(st.integers(0, 8 * len(whole) - 1), min_size=1, max_size=4)):
        content[bit // 8] ^= 1 << bit % 8
    loads_or_says_why(tmp_path / "flipped.parquet", bytes(content))


def test_the_unharmed_file_loads(tmp_path, whole):
    assert loads_or_says_why(tmp_path / "whole.parquet", whole)
