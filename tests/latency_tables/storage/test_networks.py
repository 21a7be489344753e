import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import TableError
from latency_tables.storage.networks import read_networks, write_networks


@given(networks=st.lists(st.tuples(st.text("mbk0123456789-,/:", min_size=1), st.floats(1e-6, 1e6)), max_size=8))
def test_what_was_written_is_read(tmp_path_factory, networks):
    folder = tmp_path_factory.mktemp("networks")
    write_networks(folder, networks)
    assert read_networks(folder) == networks


def test_none_is_none(tmp_path):
    assert read_networks(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must begin with the line arch,ms"),
        (b"arch,us\na,1\n", "must begin with the line arch,ms"),
        (b"arch,ms\na,1\nb\n", "line 3 is not an architecture and its milliseconds"),
        (b"arch,ms\na,soon\n", "line 2 is not an architecture and its milliseconds"),
        (b"arch,ms\na,1,2\n", "line 2 is not an architecture and its milliseconds"),
        (b"arch,ms\na,0\n", "line 2: 0 ms cannot be a latency"),
        (b"arch,ms\na,-1\n", "line 2: -1 ms cannot be a latency"),
        (b"arch,ms\na,nan\n", "line 2: nan ms cannot be a latency"),
        (b"arch,ms\na,inf\n", "line 2: inf ms cannot be a latency"),
        (b"\xff\xfe\x00", "cannot read"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path, content, message):
    (tmp_path / "networks.csv").write_bytes(content)
    with pytest.raises(TableError, match=message) as e:
        read_networks(tmp_path)
    assert "\n" not in str(e.value)
