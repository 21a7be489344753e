"""What a verb of a run does with its options before it begins."""

import pytest

import hwnas.run.check
from hwnas.cli.main import main
from latency_tables import HwnasError


@pytest.mark.parametrize("verb", ["run", "profile", "train-supernet", "search", "pareto", "train", "export", "verify"])
def test_what_is_checked_is_what_that_verb_needs(verb, tmp_path, monkeypatch):
    """A profile of a space that is no chain is allowed; a supernet needs no runtime."""
    checked = []

    def check(settings, path, name):
        checked.append(name)
        raise HwnasError("far enough")

    monkeypatch.setattr(hwnas.run.check, "check_run", check)
    assert main([verb, "--out", str(tmp_path / "run")]) == 2
    assert checked == [verb]
