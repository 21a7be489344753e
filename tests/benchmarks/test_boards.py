"""What counts as lost and as twice, on journals made by hand."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from latency_tables import Journal, Target
from latency_tables.storage.journal import read_journal
from profilers import Protocol, read_plan
from profilers.profile import journal_header

boards = pytest.importorskip("benchmarks._boards")
PROTOCOL = Protocol(minimum_rounds=2, maximum_rounds=2)


@pytest.fixture
def journal_of(two_ops, tmp_path):
    """A journal with visits to the two ops in rounds: `("relu", 0)`, `("sigmoid", 1)`, ..."""
    plan = read_plan(two_ops)
    keys = {m.key.split("(")[0].lower(): m.key for m in plan.models}

    def make(*visits, protocol=PROTOCOL):
        path = tmp_path / f"{random.random()}.jsonl"
        with Journal(path, journal_header(plan, Target("d", "r", "1", "fp32", 1, 1), protocol)) as journal:
            for at, (name, round_) in enumerate(visits):
                record = {"key": keys[name], "round": round_, "started_unix_s": float(at)}
                journal.append({**record, "samples_us": [[10.0]], "reference_us": [5.0, 5.0]})
        return plan, read_journal(path)

    return make


ALL = [(name, round_) for round_ in range(2) for name in ("relu", "sigmoid")]


def test_a_whole_journal_has_nothing_lost_and_nothing_twice(journal_of):
    journals = [journal_of(*ALL)]
    assert (boards._missing(journals), boards._twice(journals)) == (0, 0)


def test_models_that_the_protocol_asks_to_visit_are_missing(journal_of):
    assert boards._missing([journal_of(*ALL[:3]), journal_of()]) == 1 + 2
    assert boards._twice([journal_of(*ALL[:3])]) == 0


def test_visits_too_many_are_twice(journal_of):
    assert boards._twice([journal_of(*ALL, ALL[0], ALL[3], ALL[3])]) == 3
    in_pairs = replace(PROTOCOL, in_a_row=2)
    assert boards._twice([journal_of(*ALL, *ALL, protocol=in_pairs)]) == 0


def test_what_the_board_had_kept_must_be_there(journal_of):
    disturbance = boards._Disturbance(None, [], random.Random(0))
    plan, whole = journal_of(*ALL)
    disturbance.seen = [(whole.header, whole.records[:2]), (whole.header, whole.records[:3])]
    assert boards._forgotten([(plan, whole)], disturbance) == 0
    assert boards._forgotten([(plan, whole._replace(records=whole.records[1:]))], disturbance) == 1
    assert disturbance.done == Counter()
