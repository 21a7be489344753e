"""A run by `nse`: the space evolves inside the budget before anything is searched in what is left of it."""

from pathlib import Path

import pytest

from hwnas.cli.main import main
from hwnas.run import Run, Settings
from hwnas.run.check import check_run
from latency_tables import HwnasError


@pytest.mark.slow
@pytest.mark.measures
def test_the_winner_is_of_the_part_that_evolved(tmp_path, listener, little_effort):
    effort = {**little_effort, "space": "nse-32", "strategy": "nse", "evaluations": 100}
    with Run(Settings(**effort), tmp_path / "run", listener) as run:
        run.profile()
        choice = run.branches.choose({})
        whole, part = run.inputs.space, run.accuracy_model.space
        assert listener.stages.index("evolving the space") < listener.stages.index("supernet training")
        assert part.size < whole.size
        assert part.cardinalities.count(2) <= 7 * 5  # five branches of a place are active at most
        for one in choice.finalists:
            assert part.to_text(part.from_text(one.text)) == one.text
            assert one.predicted_upper_ms <= run.branches.budget.ms
        assert len(list((tmp_path / "run" / "evolving").glob("*/round-*.json"))) == 4
        budget_ms = run.branches.budget.ms
    with Run(Settings(**effort), tmp_path / "run", listener) as again:  # nothing is evolved twice
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "evolving").rglob("*")}
        assert [one.text for one in again.branches.choose({}).finalists] == [one.text for one in choice.finalists]
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "evolving").rglob("*")} == before
    tighter = Settings(**effort, budget_ms=0.7 * budget_ms)
    with Run(tighter, tmp_path / "run", listener) as other:  # another budget leaves another part
        assert all(one.predicted_upper_ms <= 0.7 * budget_ms for one in other.branches.choose({}).finalists)
    assert len(list((tmp_path / "run" / "evolving").iterdir())) == 2


def test_a_space_without_branches_is_refused_before_any_work(tmp_path, capsys):
    assert main(["run", "--strategy", "nse", "--space", "mbconv-32", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "mbconv-32 has no places with branches to choose from; nse-32 is such a space" in said
    assert not (tmp_path / "run").exists()
    with pytest.raises(HwnasError, match="nasbench-macro has no places with branches"):
        check_run(Settings(space="nasbench-macro", strategy="nse"), Path(tmp_path / "run"), "search")
