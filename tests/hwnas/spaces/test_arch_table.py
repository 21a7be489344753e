"""Files of networks: what is written is what is looked up, and what is wrong with a file is said in one line."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hwnas.spaces import ArchTable, ArchTableError, NasBenchMacro

SPACE = NasBenchMacro()
TEXTS = ["00000000", "02012100", "11111111", "22222222"]
LINES = [f"{text},{50 + i},{i / 8}" for i, text in enumerate(TEXTS)]


@pytest.fixture
def read(tmp_path):
    def call(lines=LINES, header="arch,a,b", name="table.csv", columns=("a", "b"), arch="arch"):
        text = ("\n".join([header, *lines]) + "\n").encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return ArchTable.from_file(tmp_path / name, SPACE, arch, columns)

    return call


def test_what_is_written_is_looked_up(read):
    table = read()
    assert len(table) == 4
    assert [SPACE.to_text(a) for a in table.population] == TEXTS  # all digits, and no number all the same
    some = table.population[[3, 1, 3]]
    assert table.look_up(some, "a").tolist() == [53, 51, 53]
    assert table.look_up(some, "b").tolist() == [3 / 8, 1 / 8, 3 / 8]


def test_packed_csv_and_parquet_say_the_same(read, tmp_path):
    plain, packed = read(), read(name="table.csv.gz")
    columns = {"arch": TEXTS, "a": [50.0, 51.0, 52.0, 53.0], "b": [0.0, 1 / 8, 2 / 8, 3 / 8]}
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    parquet = ArchTable.from_file(tmp_path / "table.parquet", SPACE, "arch", ["a", "b"])
    for other in (packed, parquet):
        assert np.array_equal(other.population, plain.population)
        assert all(np.array_equal(other.columns[name], plain.columns[name]) for name in ("a", "b"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": ["c"]}, "has no column 'c'; it has arch, a, b"),
        ({"arch": "network"}, "has no column 'network'"),
        ({"lines": [*LINES[:3], LINES[0]]}, "rows 1 and 4 are the same network, 00000000"),
        ({"lines": [LINES[0], "nonsense,1,2"]}, "row 2: cannot parse 'nonsense'"),
        ({"lines": [LINES[0].replace(",50,", ",nan,"), LINES[1]]}, "row 1: a is missing, not a number"),
        ({"lines": [LINES[0], LINES[1].rsplit(",", 1)[0] + ","]}, "row 2: b is missing, not a number"),
        ({"lines": [LINES[0].replace(",50,", ",high,")]}, "row 1: a is 'high', not a number"),
        ({"lines": []}, "has no architecture"),
        ({"lines": ["x"]}, "cannot be read as a CSV or Parquet file"),
    ],
)
def test_what_is_wrong_with_a_file(read, change, says):
    with pytest.raises(ArchTableError, match=says) as said:
        read(**change)
    assert len(str(said.value).splitlines()) == 1


def test_files_that_are_none(tmp_path):
    with pytest.raises(ArchTableError, match="there is no file"):
        ArchTable.from_file(tmp_path / "none.csv", SPACE, "arch", ["a"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ArchTableError, match="cannot be read"):
        ArchTable.from_file(tmp_path / "bad.parquet", SPACE, "arch", ["a"])


def test_a_network_that_is_not_there_is_named(read):
    with pytest.raises(ArchTableError, match=r"has 4 networks of nasbench-macro, but not 10000000"):
        read().rows(SPACE.from_text("10000000")[None])
