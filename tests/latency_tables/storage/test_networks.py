import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import TableError, load_table, save_table
from latency_tables.storage.networks import networks_match, read_networks, save_networks


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    """The folder of a table."""
    where = tmp_path_factory.mktemp("table")
    save_table(table(), where)
    return where


@given(networks=st.lists(st.tuples(st.text("mbk0123456789-,/:", min_size=1), st.floats(1e-6, 1e6)), max_size=8))
def test_what_was_written_is_read(folder, networks):
    before = load_table(folder)
    save_networks(folder, networks)
    after = load_table(folder)
    assert read_networks(folder) == read_networks(folder, after.provenance.networks_sha256) == networks
    assert after.digest == before.digest
    assert (after.rows, after.reference_model) == (before.rows, before.reference_model)
    assert networks_match(folder) == bool(networks)


def test_one_other_byte_is_noticed_where_the_table_has_the_digest(folder):
    save_networks(folder, [("a", 0.2), ("b", 0.3)])
    sha256 = load_table(folder).provenance.networks_sha256
    path = folder / "networks.csv"
    path.write_bytes(path.read_bytes().replace(b"0.2", b"0.9"))
    with pytest.raises(TableError, match="was edited or damaged: the table says otherwise; delete it and calibrate"):
        read_networks(folder, sha256)
    assert not networks_match(folder)
    assert read_networks(folder) == [("a", 0.9), ("b", 0.3)]  # of a table that says nothing of them


def test_without_a_table_there_is_no_match(tmp_path):
    assert not networks_match(tmp_path)


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
