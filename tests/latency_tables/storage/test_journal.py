import json
import resource
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency_tables import HwnasError, Journal, JournalError

HEADER = {"plan": ["a", "b"], "threads": 2, "ratio": 0.1}
RECORDS = [{"key": "conv(3x8)", "us": [1.5, 2.25]}, {"key": "µ", "error": None}, {"key": "last", "n": 3, "nested": {}}]

WRITER = """
import sys
from pathlib import Path
from latency_tables import Journal
with Journal(Path(sys.argv[1]), {"work": 1}) as journal:
    print("open", flush=True)
    for i in range(int(sys.argv[2])):
        journal.append({"i": i, "filling": "x" * 500})
        print(i, flush=True)
    sys.stdin.read()
"""


def write(path, records=RECORDS, header=HEADER):
    with Journal(path, header) as journal:
        for record in records:
            journal.append(record)
    return path.read_bytes()


def read(path, header=HEADER):
    with Journal(path, header) as journal:
        return list(journal)


@pytest.fixture
def whole(tmp_path):
    return write(tmp_path / "whole.jsonl")


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "er" / "journal.jsonl"
    assert write(path).count(b"\n") == 4
    with Journal(path, HEADER) as journal:
        assert list(journal) == journal.records == RECORDS
        assert journal.damaged == 0
        journal.append({"key": "more"})
        assert journal.records == [*RECORDS, {"key": "more"}]
    assert read(path) == [*RECORDS, {"key": "more"}]


def test_people_can_read_it(whole):
    bodies = [json.loads(line.split(b" ", 1)[1]) for line in whole.splitlines()]
    assert bodies == [{"header": HEADER}, *RECORDS]


def test_a_record_is_on_the_disk_before_append_returns(tmp_path):
    path = tmp_path / "j.jsonl"
    with Journal(path, HEADER) as journal:
        for i, record in enumerate(RECORDS):
            journal.append(record)
            assert path.read_bytes().count(b"\n") == i + 2


def test_reopening_writes_nothing(tmp_path, whole):
    path = tmp_path / "whole.jsonl"
    assert read(path) == RECORDS
    assert path.read_bytes() == whole


def test_a_number_that_json_has_no_word_for_is_refused(tmp_path):
    with Journal(tmp_path / "j.jsonl", HEADER) as journal, pytest.raises(ValueError, match="JSON compliant"):
        journal.append({"us": float("nan")})
    assert read(tmp_path / "j.jsonl") == []


def test_kill_at_any_byte(tmp_path, whole):
    ends = [i + 1 for i, b in enumerate(whole) if b == ord("\n")]
    path = tmp_path / "cut.jsonl"
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        # a record is whole when only its newline is missing
        records = RECORDS[: max(0, sum(length >= end - 1 for end in ends) - 1)]
        with Journal(path, HEADER) as journal:
            assert list(journal) == records, length
            assert journal.damaged == (length not in {0, *ends, *(end - 1 for end in ends)}), length
            journal.append({"again": length})
        with Journal(path, HEADER) as journal:
            assert list(journal) == [*records, {"again": length}], length
            assert journal.damaged <= 1


def test_killed_twice(tmp_path, whole):
    path = tmp_path / "cut.jsonl"
    path.write_bytes(whole[:-5])
    with Journal(path, HEADER) as journal:
        journal.append({"i": 1})
    path.write_bytes(path.read_bytes()[:-3])
    with Journal(path, HEADER) as journal:
        assert list(journal) == RECORDS[:2]
        assert journal.damaged == 2
        journal.append({"i": 2})
    assert read(path) == [*RECORDS[:2], {"i": 2}]


# the folder is shared by the examples: each one overwrites the file
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes(tmp_path, whole, data):
    content = bytearray(whole)
    where = st.integers(0, len(whole) - 1)
    for i, mask in data.draw(st.dictionaries(where, st.integers(1, 255), min_size=1, max_size=4)).items():
        content[i] ^= mask
    ends = [0, *(i + 1 for i, b in enumerate(whole) if b == ord("\n"))]
    # a line is harmed when one of its own bytes or the newline before it is; the last may lose its newline only
    intact = [content[max(0, a - 1) : b] == whole[max(0, a - 1) : b] for a, b in pairwise(ends)]
    path = tmp_path / "flipped.jsonl"
    path.write_bytes(content)
    kept = [record for record, ok in zip(RECORDS, intact[1:], strict=True) if ok]
    if not intact[0] and kept:  # nobody can say whose records these are
        with pytest.raises(JournalError, match="damaged where it says what work it belongs to; delete it"):
            Journal(path, HEADER)
        return
    with Journal(path, HEADER) as journal:
        assert list(journal) == kept
        assert journal.damaged >= 1
        journal.append({"again": 1})
    assert read(path) == [*kept, {"again": 1}]


def test_records_whose_header_is_damaged_belong_to_nobody(tmp_path, whole):
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"x" + whole[1:])
    for header in (HEADER, {"other": "work"}):
        with pytest.raises(JournalError, match="damaged where it says what work it belongs to; delete it"):
            Journal(path, header)
    assert path.read_bytes() == b"x" + whole[1:]


@pytest.mark.parametrize("header", [{}, HEADER | {"threads": 1}, HEADER | {"more": 1}])
def test_the_journal_of_other_work_is_refused_and_left_alone(tmp_path, whole, header):
    path = tmp_path / "whole.jsonl"
    for content in (whole, whole[:-3]):
        path.write_bytes(content)
        with pytest.raises(JournalError) as e:
            Journal(path, header)
        assert str(e.value) == f"{path} is the journal of other work; use another folder or delete it"
        assert path.read_bytes() == content
    assert read(path) == RECORDS[:2]  # the refusal has given the lock back


def test_header_order_and_tuples_do_not_matter(tmp_path):
    path = tmp_path / "j.jsonl"
    write(path, header={"a": (1, 2), "b": 0.1})
    assert read(path, header={"b": 0.1, "a": [1, 2]}) == RECORDS


def test_two_writers_in_one_process(tmp_path):
    path = tmp_path / "j.jsonl"
    with Journal(path, HEADER) as journal:
        with pytest.raises(JournalError) as e:
            Journal(path, HEADER)
        assert str(e.value) == f"{path} is being written by another process; wait for it or stop it"
        journal.append({"i": 1})
    assert read(path) == [{"i": 1}]


def test_another_process_is_writing_and_then_dies(tmp_path):
    path = tmp_path / "j.jsonl"
    command = [sys.executable, "-c", WRITER, str(path), "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        assert other.stdout.readline() == "0\n"
        with pytest.raises(JournalError, match="is being written by another process"):
            Journal(path, {"work": 1})
        other.kill()
        other.wait()
    assert [r["i"] for r in read(path, {"work": 1})] == [0]


def test_sigkill_while_appending_loses_at_most_one(tmp_path):
    path = tmp_path / "j.jsonl"
    command = [sys.executable, "-c", WRITER, str(path), "100000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        for _ in range(20):
            other.stdout.readline()
        other.send_signal(signal.SIGKILL)
        told = [line for line in other.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    last = int(told[-1]) if told else 18
    records = read(path, {"work": 1})
    assert [r["i"] for r in records] == list(range(len(records)))
    assert len(records) in {last + 1, last + 2}  # what was acknowledged, and perhaps the one in flight
    assert all(r["filling"] == "x" * 500 for r in records)


def test_full_device(tmp_path):
    path = tmp_path / "full.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(JournalError) as e:
        Journal(path, HEADER)
    assert str(e.value) == (
        f"cannot write {path}: No space left on device; what was measured before is kept, "
        "so free some space and start again"
    )


def test_a_disk_that_fills_up_keeps_what_was_measured(tmp_path, whole):
    path = tmp_path / "whole.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path, HEADER) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, hard))  # ten bytes of the record fit
        try:
            with pytest.raises(JournalError, match="what was measured before is kept"):
                journal.append({"key": "one too many"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(journal) == RECORDS
    assert path.stat().st_size == len(whole) + 10
    with Journal(path, HEADER) as journal:
        assert list(journal) == RECORDS
        journal.append({"key": "space again"})
    assert read(path) == [*RECORDS, {"key": "space again"}]


def test_a_path_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "j.jsonl", tmp_path / ("long" * 100)):
        with pytest.raises(HwnasError) as e:
            Journal(path, HEADER)
        assert str(e.value).startswith(f"cannot write the journal {path}: ")
        assert "\n" not in str(e.value)
