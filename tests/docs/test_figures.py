"""The tables of figures say what the result files say, digit by digit."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def figures():
    """docs/figures.py."""
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_number_of_every_table_is_that_of_a_result_file(figures):
    tables = 0
    for page in figures.PAGES:
        text = page.read_text()
        assert figures.with_tables(text) == text, f"{page.name}: run `python docs/figures.py`"
        tables += len(re.findall("<!-- end of table -->", text))
    assert tables == len(list((ROOT / "docs" / "tables").glob("*.md")))


def test_a_wrong_digit_is_noticed(figures):
    text = (ROOT / "README.md").read_text()
    right = f"{figures.figure('main_job_digits', 'demo_seconds')} s;"
    assert right in text
    assert figures.with_tables(text.replace(right, f"9{right}")) == text


def test_numbers_are_rounded_to_the_digits_shown(figures, tmp_path, monkeypatch):
    document = {
        "figures": {"a": 0.9030891888923355, "b": 91882118.4, "c": 3.814697265625e-06, "x 1": 17.0, "x 2": 20.0},
        "details": {"seeds": [{"ms": [1.0, 2.0]}, {"ms": [3.0, 4.0]}], "rival": {"ms": 18603.336}},
    }
    (tmp_path / "made.json").write_text(json.dumps(document))
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert figures.figure("made", "a", 2) == "0.90"
    assert figures.figure("made", "b") == "91,882,118"
    assert figures.small("made", "c") == "3.8e-06"
    assert (figures.mean("made", "x .", 1), figures.lowest("made", "x ."), figures.total("made", "x .")) == (
        "18.5",
        "17",
        "37",
    )
    assert figures.details_mean("made", "seeds", "ms", 1) == "2.5"
    assert figures.details_number("made", "rival", "ms") == "18,603"
    with pytest.raises(KeyError):
        figures.figure("made", "d")
    with pytest.raises(KeyError):
        figures.mean("made", "y .*")


def test_measured_cells_of_the_templates_are_expressions_not_digits():
    """In every row that shows a figure, the columns between its name and the aim have no digits of their own."""
    constant = {"5", "10", "100", "1"}  # "4 of 5", "10 of 10", "> 100", and the column after it
    for template in (ROOT / "docs" / "tables").glob("*.md"):
        for line in template.read_text().splitlines():
            if "{{" not in line or not line.startswith("|"):
                continue
            measured = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", line).split("|")[2:-2]
            typed = {digits for cell in measured for digits in re.findall(r"(?<![\w.`])\d+", cell)}
            assert typed <= constant or template.stem in ("comparison", "few_shot", "headline", "predictor_search"), (
                line
            )
