"""Ten thousand damaged files: each is read as it is or refused in one line, and nothing unsound comes through."""

import copy
import hashlib
import io
import json
import math
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latency_tables import (
    HwnasError,
    Journal,
    Measurement,
    Op,
    OpCost,
    TableError,
    TableRow,
    Target,
    load_table,
    save_table,
)
from latency_tables.storage.csv_export import table_csv
from latency_tables.storage.files import digest_json
from latency_tables.storage.journal import read_journal
from latency_tables.storage.rows import rows_from_parquet, rows_to_parquet
from profilers import Protocol, read_plan, table_from_plan, write_plan

pytestmark = pytest.mark.slow  # thousands of files

FILES = ("rows.parquet", "provenance.json", "reference.onnx")
HEADER = {"plan": ["a", "b"], "threads": 1}
OPS = [Op.of("conv", (3, 8, 8), out=i, stride=2) for i in range(6)]
ODD = [
    *(None, True, False, 0, -1, 2, 2.5, -0.0, 1e308, -1e308, 1e-300, 2**31, 2**63, 10**40, -(10**40)),
    *(float("nan"), float("inf"), float("-inf"), "", "text", "12.5", "\ud800", "\0", "two\nlines", "x" * 2000),
    *([], {}, [[]], [None], [1, "a"], {"a": 1}, {"kind": "k"}, {"__class__": "os.system"}, "!!python/object:os.system"),
    json.loads("[" * 400 + "]" * 400),
]


def bent(content, rng):
    """Bytes after one to three accidents: flips, cuts, insertions, copies, runs of one byte."""
    for _ in range(rng.integers(1, 4)):
        if not content:
            return b"\x00"
        i, j = sorted(rng.integers(0, len(content) + 1, 2).tolist())
        j = min(j, i + 64)
        match rng.integers(0, 6):
            case 0 | 1:
                flipped = bytearray(content)
                for k in rng.integers(0, len(content), rng.integers(1, 9)):
                    flipped[k] ^= int(rng.integers(1, 256))
                content = bytes(flipped)
            case 2:
                content = content[:i]
            case 3:
                content = content[:i] + rng.bytes(int(rng.integers(1, 65))) + content[i:]
            case 4:
                content = content[:j] + content[i:]
            case 5:
                content = content[:i] + bytes([int(rng.choice([0, 255, 127]))]) * (j - i) + content[j:]
    return content


def places(value):
    """Every (container, key) of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield value, key
        yield from places(part)


def confused(value, rng):
    """A JSON value with one to three parts of it taken for something else."""
    value = copy.deepcopy(value)
    for _ in range(rng.integers(1, 4)):
        where = list(places(value))
        if not where:
            return value
        (container, key), (other, another) = where[rng.integers(len(where))], where[rng.integers(len(where))]
        match rng.integers(0, 6):
            case 0 | 1 | 2:
                container[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])
            case 3:
                container[key] = copy.deepcopy(other[another])
            case 4:
                del container[key]
            case 5 if isinstance(container, dict):
                container[str(ODD[rng.integers(len(ODD))])[:20]] = container[key]
            case 5:
                container.append(copy.deepcopy(container[key]))
    return value


def outcome(read):
    """What was read, or None when it was refused in one short line."""
    refusal = ""
    try:
        return read()
    except HwnasError as e:
        refusal = str(e)
    assert "\n" not in refusal
    assert 0 < len(refusal) < 600
    return None


def require_sound(table):
    for row in table.rows:
        times = (row.median_us, row.min_us, row.raw_median_us)
        assert all(t is None or (math.isfinite(t) and t > 0) for t in times)
    assert table.provenance.seconds >= 0
    assert table.coverage(row.op for row in table.rows).missing == ()
    assert rows_from_parquet(rows_to_parquet(table.rows)) == table.rows
    assert table_csv(table)
    assert table.digest


@pytest.fixture(scope="module")
def whole(tmp_path_factory, table):
    """The bytes of each file of a sound table of eight rows."""
    folder = tmp_path_factory.mktemp("whole")
    rows = [TableRow(op, OpCost(0.5, 10, 20), 10.0 + i, 9.0, 20.0, 8.0, 12.0, 6, 3, "ci") for i, op in enumerate(OPS)]
    save_table(table(rows=(*rows, *table().rows[1:])), folder)
    return {name: (folder / name).read_bytes() for name in FILES}


def with_digest(files):
    """The files with a provenance whose digest matches whatever they hold."""
    provenance = {k: v for k, v in json.loads(files["provenance.json"]).items() if k != "digest"}
    digests = [hashlib.sha256(files[name]).hexdigest() for name in ("rows.parquet", "reference.onnx")]
    provenance["digest"] = digest_json([*digests, provenance])
    return files | {"provenance.json": json.dumps(provenance).encode()}


def loaded(folder, files):
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:  # writing is what takes the time
            path.write_bytes(content)
    table = outcome(lambda: load_table(folder))
    if table is not None:
        require_sound(table)
    return table


def test_tables_with_accidents(tmp_path, whole):
    rng, original = np.random.default_rng(1), loaded(tmp_path, whole)
    for _ in range(1500):
        name = FILES[rng.integers(3)]
        table = loaded(tmp_path, whole | {name: bent(whole[name], rng)})
        assert table is None or table == original  # the digest lets white space pass at most


def test_tables_whose_files_are_swapped(tmp_path, whole):
    contents = list(whole.values())
    for i in range(3):
        for j in range(3):
            for k in range(3):
                files = dict(zip(FILES, (contents[i], contents[j], contents[k]), strict=True))
                assert (loaded(tmp_path, files) is None) == ((i, j, k) != (0, 1, 2))


def test_rows_with_accidents_and_a_matching_digest(tmp_path, whole):
    rng, read = np.random.default_rng(2), 0
    for _ in range(2000):
        files = with_digest(whole | {"rows.parquet": bent(whole["rows.parquet"], rng)})
        read += loaded(tmp_path, files) is not None
    assert 0 < read < 500  # flips in pages of text and numbers can be sound; most accidents are not


def test_rows_of_other_values_and_a_matching_digest(tmp_path, whole):
    rng, read = np.random.default_rng(3), 0
    records = pq.read_table(io.BytesIO(whole["rows.parquet"])).to_pylist()
    schema = pq.read_schema(io.BytesIO(whole["rows.parquet"]))
    for _ in range(1000):
        changed = confused(records, rng)
        try:
            rows = pa.Table.from_pylist(changed, schema if rng.random() < 0.7 else None)
            buffer = io.BytesIO()
            pq.write_table(rows, buffer)
        except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
            buffer = io.BytesIO(json.dumps(str(changed)).encode())  # Parquet has no words for it
        read += loaded(tmp_path, with_digest(whole | {"rows.parquet": buffer.getvalue()})) is not None
    assert 0 < read < 500


def test_confused_provenance_with_a_matching_digest(tmp_path, whole):
    rng, read = np.random.default_rng(4), 0
    provenance = json.loads(whole["provenance.json"])
    for _ in range(1500):
        content = json.dumps(confused(provenance, rng)).encode()
        files = with_digest(whole | {"provenance.json": content})
        read += loaded(tmp_path, files) is not None
    assert 0 < read < 700  # another device's name is as good as this one's


def lines_of(records):
    bodies = [json.dumps(r).encode() for r in records]
    return b"".join(b"%08x %s\n" % (zlib.crc32(body), body) for body in bodies)


@pytest.fixture(scope="module")
def visits(visit):
    made = [visit([[30.0, 31.0], [29.0]], [10.0, 10.5, 9.5], key=op.key, started=1e9 + i) for i, op in enumerate(OPS)]
    return [*made, visit(error="refused", key="other", started=1e9 + 9)]


def made(records, plan):
    """The table that a journal's records make."""
    visits = [Measurement.from_json(r) for r in records]
    return table_from_plan(read_plan(plan), Target("d", "r", "1", "fp32", 1, 1), visits, Protocol())


def table_of(records, plan):
    """The table that a journal's records make, sound, or None when they are refused."""
    table = outcome(lambda: made(records, plan))
    if table is not None:
        require_sound(table)
    return table


def test_journals_with_accidents(tmp_path, visits, plan):
    rng, path = np.random.default_rng(5), tmp_path / "j.jsonl"
    content = lines_of([{"header": HEADER}, *(v.to_json() for v in visits)])
    sound = [json.loads(json.dumps(v.to_json())) for v in visits]
    for i in range(1500):
        path.write_bytes(bent(content, rng))
        _, records, _ = outcome(lambda: read_journal(path)) or ({}, [], 0)
        assert all(r in sound for r in records)  # the checksum lets nothing else through
        if i % 10:
            continue
        before = path.read_bytes()
        journal = outcome(lambda: Journal(path, HEADER))
        if journal is None:
            assert path.read_bytes() == before
            continue
        with journal:
            assert list(journal) == records
            table_of(list(journal), plan)


def test_journals_of_confused_records_with_matching_checksums(tmp_path, visits, plan):
    rng, path, read = np.random.default_rng(6), tmp_path / "j.jsonl", 0
    whole_journal = [{"header": HEADER}, *(json.loads(json.dumps(v.to_json())) for v in visits)]
    for _ in range(1500):
        path.write_bytes(lines_of(confused(whole_journal, rng)))
        _, records, _ = outcome(lambda: read_journal(path)) or ({}, [], 0)
        read += table_of(records, plan) is not None
    assert 0 < read < 1000


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    models = [(op.key, op, OpCost(0.5, 10, 20), b"model") for op in OPS]
    write_plan(folder, "s", b"reference", [*models, ("0-1-2", None, OpCost(0.5, 10, 20), b"network")])
    return folder


def read_all(folder):
    """A plan with all its models, or None when any of it is refused."""
    planned = outcome(lambda: read_plan(folder))
    if planned is not None:
        outcome(planned.reference)
        for model in planned.models:
            outcome(lambda model=model: planned.model(model))
        assert all(hash(op) and op.key and cost.macs < 2**63 for op, cost in planned.costs.items())
    return planned


def test_plans_with_accidents(plan):
    rng, content = np.random.default_rng(7), (plan / "plan.json").read_bytes()
    for _ in range(500):
        (plan / "plan.json").write_bytes(bent(content, rng))
        read_all(plan)
    (plan / "plan.json").write_bytes(content)
    assert read_all(plan) is not None


def test_confused_plans(plan):
    rng, content, read = np.random.default_rng(8), (plan / "plan.json").read_bytes(), 0
    for _ in range(1000):
        (plan / "plan.json").write_text(json.dumps(confused(json.loads(content), rng)))
        read += read_all(plan) is not None
    (plan / "plan.json").write_bytes(content)
    assert 0 < read < 600


@pytest.mark.parametrize("step", [-1.0, -3600.0, -1e9])
def test_a_clock_that_goes_back_between_visits(visit, plan, step):
    visits = [visit([[30.0]], [10.0, 10.0], key=op.key, started=1.5e9 + i * step) for i, op in enumerate(OPS[:2])]
    table = made([v.to_json() for v in visits], plan)
    assert table.provenance.seconds >= 0
    assert table.rows[0].median_us == pytest.approx(30.0)


def test_a_clock_that_jumps_within_a_visit_makes_no_row(visit, plan):
    good = visit([[30.0]], [10.0, 10.0], key=OPS[0].key)
    jumped = visit([[-5.0, 30.0]], [10.0, 10.0], key=OPS[1].key)
    table = made([good.to_json(), jumped.to_json()], plan)
    assert [row.median_us for row in table.rows[:2]] == [pytest.approx(30.0), None]
    assert table.coverage(OPS[:2]).failed == (OPS[1],)
    with pytest.raises(TableError, match="no op of s could be measured"):
        made([visit([[5.0]], [0.0, -10.0], key=OPS[1].key).to_json()], plan)
