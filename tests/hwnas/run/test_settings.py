import json
import math
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.run import Settings
from hwnas.run.settings import ONE_COMMAND, RANGES, STAGE_OPTIONS
from latency_tables import HwnasError

counts = st.integers(100, 1000)
settings = st.builds(
    Settings,
    space=st.text(min_size=1),
    data=st.text(min_size=1),
    test_data=st.none() | st.text(),
    allow=st.lists(st.text()).map(tuple),
    fix=st.lists(st.text()).map(tuple),
    limit=st.none() | st.integers(1, 10**6),
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
    assert Settings.from_plain(json.loads(json.dumps(asdict(one)))) == one


def test_settings_that_an_older_version_did_not_know_take_their_default():
    assert Settings.from_plain({"space": "mbconv-112"}) == Settings(space="mbconv-112")


@pytest.mark.parametrize("value", [None, [], 3, {"space": "x", "colour": "red"}, "space", {"threads": 0}])
def test_what_are_no_settings_is_a_value_error(value):
    with pytest.raises(ValueError, match=r".*"):
        Settings.from_plain(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 0.5), ("space", 5), ("limit", 100.0), ("pairs", "80"), ("mirror", 1), ("allow", "x"), ("fix", [1])],
)
def test_a_value_of_another_type_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name} is "):
        Settings.from_plain({name: value})


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


def test_every_whole_number_has_a_least_and_a_most():
    of_the_recipe = {"supernet_epochs", "train_epochs"}
    assert {f.name for f in fields(Settings) if f.type == "int"} | of_the_recipe == set(COUNTS)
    assert {f.name for f in fields(Settings) if str(f.type).startswith("int")} == set(RANGES)


@pytest.mark.parametrize(("name", "most"), [(name, most) for name, (_, most) in RANGES.items()])
def test_a_count_above_its_most_names_the_option_and_the_most(name, most):
    assert getattr(Settings(**{name: most}), name) == most
    with pytest.raises(HwnasError) as caught:
        Settings(**{name: 10**23})
    assert str(caught.value) == f"--{name.replace('_', '-')} must be at most {most}, got {10**23}"


def test_an_unknown_strategy_is_answered_with_all_there_are():
    assert Settings(strategy="prednas").strategy == "prednas"
    with pytest.raises(HwnasError, match=r"^unknown --strategy 'grid'; there are nsga2, exact, bocs, .*, random$"):
        Settings(strategy="grid")


@pytest.mark.parametrize("option", ["budget_ms", "search_minutes"])
@pytest.mark.parametrize("value", [0, -1.5, math.nan, -math.inf])
def test_a_budget_or_limit_that_is_not_positive_names_the_option(option, value):
    with pytest.raises(HwnasError, match=rf"^--{option.replace('_', '-')} must be more than 0, got "):
        Settings(**{option: value})


@pytest.mark.parametrize("option", ["budget_ms", "search_minutes"])
def test_an_endless_budget_or_limit_names_the_option(option):
    with pytest.raises(HwnasError, match=rf"^--{option.replace('_', '-')} must be finite, got inf$"):
        Settings(**{option: math.inf})


@pytest.mark.parametrize("value", [-0.1, 100.5, math.nan, math.inf])
def test_a_drop_is_in_points(value):
    assert [Settings(max_drop=points).max_drop for points in (0, 0.5, 100)] == [0, 0.5, 100]
    with pytest.raises(HwnasError, match=r"^--max-drop must be 0 to 100 points, got "):
        Settings(max_drop=value)


def test_paths_mean_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given = Settings(space="my.py:Net", runtime="~/r.py:Npu", data="photos", test_data="~/test", table="../tab")
    where = given.absolute()
    assert where.space == f"{tmp_path}/my.py:Net"
    assert where.runtime == f"{tmp_path}/home/r.py:Npu"
    assert where.data == f"{tmp_path}/photos"
    assert where.test_data == f"{tmp_path}/home/test"
    assert Path(where.table).resolve() == tmp_path.parent / "tab"
    assert where.absolute() == where


def test_names_are_no_paths():
    assert Settings().absolute() == Settings()


def test_every_verb_uses_settings_that_there_are_and_together_they_use_all():
    names = {f.name for f in fields(Settings)}
    assert {name for uses in STAGE_OPTIONS.values() for name in uses} == names
    assert all(len(set(uses)) == len(uses) for uses in STAGE_OPTIONS.values())
    assert names - set(STAGE_OPTIONS["run"]) == set(ONE_COMMAND) == {"arch", "verify"}
    assert not {"arch", "finalists", "budget_ms", "train_epochs"} & set(STAGE_OPTIONS["profile"])


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
        "max_drop": 2.0,
    }
    for name, value in efforts.items():
        assert Settings(**{name: value}).defining == base.defining, name
    others = {"space": "x", "data": "x", "test_data": "x", "limit": 50, "mirror": True, "runtime": "x", "threads": 2}
    others |= {"allow": ("x",), "fix": ("x",), "device": "ssh://pi"}
    for name, value in others.items():
        assert Settings(**{name: value}).defining != base.defining, name


def test_who_works_on_a_run_is_kept_but_decides_nothing():
    here, there = (
        Settings(),
        Settings(workers="local:2", identity="/a/key", known_hosts="/known", train_device="cuda:3", tensorboard=True),
    )
    assert Settings.from_plain(asdict(there)) == there
    assert here.decisive == there.decisive
    undecided = {"workers": "here", "verify": None, "identity": None, "known_hosts": None}
    undecided |= {"train_device": "auto", "tensorboard": None}
    assert {**here.decisive, **undecided} == asdict(here)
