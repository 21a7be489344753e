"""What follows when the device contradicts the prediction.

The device's verdict is scripted, and slower networks count as more accurate, which a tiny run is too short to learn:
so the search comes near the budget. Table, calibration, predictor, search, training and export are real.
"""

import hashlib
import json

import pytest

from deploy.verify import Verification
from hwnas.cli.main import main
from hwnas.run import Run, RunFolder, deployment
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.profiling import Profiling

pytestmark = pytest.mark.slow


@pytest.fixture
def scripted(own_copy, monkeypatch):
    """A copy of the finished run that has not met the device yet, and a device that answers by script."""
    for kind in ("predict", "search", "train", "verify"):
        for record in (own_copy / "stages").glob(f"{kind}*.json"):
            record.unlink()
    (own_copy / "result.json").unlink()

    def slower_is_better(accuracy_model, archs, name, progress):
        latency = Profiling(accuracy_model.folder, accuracy_model.inputs).latency()
        return 1 - 0.05 / latency.predict(archs).ms

    monkeypatch.setattr(AccuracyModel, "evaluate", slower_is_better)

    def script(milliseconds):
        asked = []

        def verify(model, reference, table, budget_ms, *device_and_folder):
            record = own_copy / "stages" / f"train-{model.parent.name}.json"
            arch = json.loads(record.read_text())["result"]["arch"]
            ms = milliseconds(len(asked), arch, budget_ms)
            asked.append((arch, ms))
            digest = hashlib.sha256(model.read_bytes()).hexdigest()
            ends = (0.995 * ms, 1.005 * ms)
            return Verification(digest, budget_ms, ms, ends, ms, 1.0, verified=ends[1] <= budget_ms)

        monkeypatch.setattr(deployment, "verify", verify)
        return asked

    return own_copy, script


def test_a_contradiction_is_fed_back_and_the_next_choice_takes_it_into_account(scripted, listener):
    path, script = scripted
    asked = script(lambda attempt, arch, budget: 1.1 * budget if attempt == 0 else 0.8 * budget)
    with Run(RunFolder.settings_of(path), path, listener) as run:
        outcome, budget = run.outcome(), run.branches.budget.ms
        (first, said), (second, _) = outcome.attempts
        corrected = run.profiling.latency([(first.arch, said.measured_ms)])
        bounds, again = corrected.predict(first.arch[None]), corrected.predict(second.arch[None])
    assert [c.text for c, _ in outcome.attempts] == [arch for arch, _ in asked]
    assert not said.verified
    assert outcome.verification.verified
    assert outcome.winner == second
    assert second.text != first.text
    assert first.predicted_upper_ms <= budget
    assert second.predicted_upper_ms <= budget
    assert sum(line.startswith("FAIL: measured") for line in listener.said) == 1
    assert "the latency model is recalibrated with what the device said, and the search runs again" in listener.said
    assert "search again (2)" in listener.stages

    # The corrected model would not choose the contradicted network again.
    assert bounds.lower_ms[0] <= said.measured_ms <= bounds.upper_ms[0]
    assert bounds.upper_ms[0] > budget
    assert second.predicted_ms == pytest.approx(float(again.ms[0]))
    assert second.predicted_upper_ms == pytest.approx(float(again.upper_ms[0]))


def test_a_device_slower_than_the_model_by_a_quarter_or_more_is_satisfied_within_three_attempts(scripted):
    path, script = scripted
    with Run(RunFolder.settings_of(path), path) as run:
        latency, space = run.profiling.latency(), run.profiling.space

        slowness = []

        def slow(attempt, arch, budget):
            predicted = float(latency.predict(space.from_text(arch)[None]).ms[0])
            if not slowness:  # a short search may end further below the budget
                slowness.append(max(1.25, 1.05 * budget / predicted))
            return slowness[0] * predicted

        asked = script(slow)
        outcome = run.outcome()
    assert 2 <= len(asked) <= 3
    assert outcome.verification.verified
    assert asked[-1] == (outcome.winner.text, outcome.verification.measured_ms)


def test_a_device_that_never_agrees_is_believed_after_three_attempts(scripted, capsys):
    path, script = scripted
    asked = script(lambda attempt, arch, budget: 1.02 * budget)
    assert main(["run", "--resume", "--json", "--out", str(path)]) == 1
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["verified"] is False
    assert result["attempts"] == len(asked) == 3
    assert len({arch for arch, _ in asked}) == 3
    assert result["arch"] == asked[-1][0]
    assert said.err.count("FAIL: measured") == 3
    assert json.loads((path / "result.json").read_text()) == result
    assert "FAIL" in (path / "report.html").read_text()
    assert main(["verify", "--json", "--out", str(path)]) == 1


def test_when_nothing_is_fast_enough_any_more_the_last_network_is_the_answer(scripted, capsys):
    path, script = scripted
    asked = script(lambda attempt, arch, budget: 20 * budget)
    assert main(["run", "--resume", "--json", "--out", str(path)]) == 1
    said = capsys.readouterr()
    assert len(asked) == 1
    assert json.loads(said.out)["verified"] is False
    assert (path / "report.html").exists()
    assert "no network of mbconv-32 fits" in said.err


def test_the_verbs_speak_of_the_network_that_was_shipped_in_the_end(scripted, capsys):
    path, script = scripted
    script(lambda attempt, arch, budget: 1.1 * budget if attempt == 0 else 0.8 * budget)
    assert main(["run", "--resume", "--json", "--out", str(path)]) == 0
    assert main(["verify", "--json", "--out", str(path)]) == 0
    assert main(["train", "--json", "--out", str(path)]) == 0
    result, verified, trained = map(json.loads, capsys.readouterr().out.splitlines())
    assert trained["arch"] == result["arch"]
    assert verified["measured_ms"] == result["measured_ms"]
