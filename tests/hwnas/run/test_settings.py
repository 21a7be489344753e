import json
import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.run import Settings
from latency_tables import HwnasError

counts = st.integers(100, 10**9)
settings = st.builds(
    Settings,
    space=st.text(min_size=1),
    data=st.text(min_size=1),
    test_data=st.none() | st.text(),
    limit=st.none() | st.integers(),
    mirror=st.none() | st.booleans(),
    threads=counts,
    budget_ms=st.none() | st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False),
    arch=st.none() | st.text(),
    seed=counts,
    evaluations=counts,
    train_epochs=counts,
)


@given(settings)
def test_settings_survive_the_round_trip_through_json(one):
    assert Settings.from_json(one.to_json()) == one
    assert Settings.from_json(one.to_json().encode()) == one


def test_settings_that_an_older_version_did_not_know_take_their_default():
    assert Settings.from_json('{"space": "mbconv-112"}') == Settings(space="mbconv-112")


@pytest.mark.parametrize("text", ["", "[]", "3", '{"space": "x", "colour": "red"}', "{", '"space"'])
def test_what_is_not_a_settings_file_is_a_value_error(text):
    with pytest.raises(ValueError, match=r".*"):
        Settings.from_json(text)


COUNTS = {
    "threads": 1,
    "calibration_networks": 10,
    "heldout_networks": 1,
    "supernet_epochs": 1,
    "pairs": 10,
    "evaluations": 100,
    "queries": 1,
    "finalists": 1,
    "train_epochs": 1,
    "seed": 0,
}


@pytest.mark.parametrize(("name", "least"), COUNTS.items())
def test_a_count_below_its_least_names_the_option_and_the_least(name, least):
    assert getattr(Settings(**{name: least}), name) == least
    with pytest.raises(HwnasError) as caught:
        Settings(**{name: least - 1})
    assert str(caught.value) == f"--{name.replace('_', '-')} must be at least {least}, got {least - 1}"


def test_every_plain_number_has_a_least_value():
    assert {f.name for f in fields(Settings) if f.type == "int"} == set(COUNTS)


def test_an_unknown_strategy_is_answered_with_all_there_are():
    assert Settings(strategy="prednas").strategy == "prednas"
    with pytest.raises(
        HwnasError, match=r"^unknown --strategy 'grid'; there are nsga2, exact, bocs, prednas, .*, random$"
    ):
        Settings(strategy="grid")


@pytest.mark.parametrize("option", ["budget_ms", "search_minutes"])
@pytest.mark.parametrize("value", [0, -1.5, math.nan, -math.inf])
def test_a_budget_or_limit_that_is_not_positive_names_the_option(option, value):
    with pytest.raises(HwnasError, match=rf"^--{option.replace('_', '-')} must be more than 0, got "):
        Settings(**{option: value})


def test_effort_and_budget_do_not_make_another_run_but_space_data_and_target_do():
    base = Settings()
    efforts = {
        "budget_ms": 1.0,
        "arch": "x",
        "seed": 1,
        "pairs": 11,
        "strategy": "prednas",
        "queries": 9,
        "workers": "local:2",
        "search_minutes": 0.5,
    }
    for name, value in efforts.items():
        assert Settings(**{name: value}).identity == base.identity, name
    others = {"space": "x", "data": "x", "test_data": "x", "limit": 50, "mirror": True, "runtime": "x", "threads": 2}
    for name, value in others.items():
        assert Settings(**{name: value}).identity != base.identity, name
    assert set(json.loads(base.to_json())) == {f.name for f in fields(Settings)}


def test_who_works_on_a_run_is_kept_but_decides_nothing():
    here, there = Settings(), Settings(workers="local:2")
    assert Settings.from_json(there.to_json()) == there
    assert here.decisive == there.decisive
    assert {**here.decisive, "workers": "here"} == json.loads(here.to_json())
