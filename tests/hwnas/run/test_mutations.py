"""Damage to the records of a finished run is noticed: never a traceback, never another answer without redoing work."""

from collections import Counter

import pytest

from benchmarks.mutations import finished_stages, outcomes
from hwnas.cli.main import main
from hwnas.run import RunFolder
from hwnas.run.folder import SETTINGS_FILE

pytestmark = pytest.mark.slow


def test_many_mutants_of_a_finished_run(own_copy):
    settings = RunFolder.settings_of(own_copy)
    stages = finished_stages(own_copy, settings)
    seen = Counter(outcomes(own_copy, settings, stages, count=150, seed=1))
    assert set(seen) <= {"same", "noticed"}
    assert seen["noticed"] > 100


def test_an_edited_test_accuracy_is_measured_again(own_copy):
    (record,) = (own_copy / "stages").glob("test-*.json")
    whole = record.read_bytes()
    accuracy = whole.partition(b'"accuracy": ')[2].split()[0].rstrip(b",")
    record.write_bytes(whole.replace(accuracy, b"0.125"))
    settings = RunFolder.settings_of(own_copy)
    finished_stages(own_copy, settings)
    assert b'"accuracy": ' + accuracy in record.read_bytes()


def test_a_what_if_is_not_stored(own_copy, capsys):
    before = (own_copy / SETTINGS_FILE).read_bytes()
    for verb, budget in (("verify", "1e-9"), ("search", "inf"), ("search", "1e-9"), ("search", "1000")):
        main([verb, "--budget-ms", budget, "--out", str(own_copy)])
    said = capsys.readouterr().err
    assert "the budget of 1000 ms does not bind" in said
    assert (own_copy / SETTINGS_FILE).read_bytes() == before
