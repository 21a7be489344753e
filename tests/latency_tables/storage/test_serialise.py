import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables.storage.serialise import from_plain, parse_json


@dataclass(frozen=True)
class Part:
    name: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Whole:
    part: Part
    pairs: tuple[tuple[str, int], ...]
    share: float
    count: int
    sure: bool
    note: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


PLAIN = {
    "part": {"name": "µ", "sizes": [1, 2]},
    "pairs": [["a", 1], ["b", -2]],
    "share": 0.5,
    "count": 3,
    "sure": True,
    "note": "n",
    "weights": {"x": 1.5, "y": 2},
}
WHOLE = Whole(Part("µ", (1, 2)), (("a", 1), ("b", -2)), 0.5, 3, True, "n", {"x": 1.5, "y": 2})


def test_by_hand():
    assert from_plain(Whole, PLAIN) == WHOLE
    assert from_plain(Whole, json.loads(json.dumps(PLAIN))) == WHOLE


def test_what_has_a_default_may_be_left_out():
    short = {k: PLAIN[k] for k in ("pairs", "share", "count", "sure")} | {"part": {"name": "p"}}
    assert from_plain(Whole, short) == Whole(Part("p"), WHOLE.pairs, 0.5, 3, True)


def test_a_whole_number_is_a_float_but_not_the_other_way_round():
    assert from_plain(Whole, PLAIN | {"share": 2}).share == 2
    with pytest.raises(ValueError, match=r"count is 2\.0"):
        from_plain(Whole, PLAIN | {"count": 2.0})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"part": 3}, "part is 3"),
        ({"part": None}, "part is None"),
        ({"part": {}}, "part has no name"),
        ({"part": {"name": b"bytes"}}, "name is b'bytes'"),
        ({"part": {"name": "\ud800"}}, r"name is '\\ud800'"),
        ({"part": {"name": "n", "sizes": "12"}}, "sizes is '12'"),
        ({"part": {"name": "n", "sizes": [1, None]}}, "sizes is None"),
        ({"part": {"name": "n", "sizes": [True]}}, "sizes is True"),
        ({"part": {"name": "n", "sizes": [2**63]}}, "sizes is 9223372036854775808"),
        ({"pairs": [["a", 1, 2]]}, r"pairs is \['a', 1, 2\]"),
        ({"pairs": [[1, "a"]]}, "pairs is 1"),
        ({"pairs": {"a": 1}}, "pairs is {'a': 1}"),
        ({"share": float("nan")}, "share is nan"),
        ({"share": float("-inf")}, "share is -inf"),
        ({"share": "0.5"}, "share is '0.5'"),
        ({"share": 10**400}, "share is int|share is 1000"),
        ({"share": False}, "share is False"),
        ({"sure": 1}, "sure is 1"),
        ({"sure": None}, "sure is None"),
        ({"note": 1}, "note is 1"),
        ({"weights": [1]}, r"weights is \[1\]"),
        ({"weights": {"x": "1"}}, "weights 'x' is '1'"),
        ({"weights": {"line\nbreak": []}}, r"weights 'line\\nbreak' is \[\]"),
        ({"more": 1}, "Whole has an unknown field 'more'"),
        ({"note": "x" * 10**6, "count": "x" * 10**6}, r"count is 'x{39}\.\.\."),
    ],
)
def test_what_is_wrong_is_named_in_one_short_line(change, words):
    with pytest.raises(ValueError, match=words) as e:
        from_plain(Whole, PLAIN | change)
    assert "\n" not in str(e.value)
    assert len(str(e.value)) < 120


@pytest.mark.parametrize("missing", ["part", "pairs", "share", "count", "sure"])
def test_a_missing_field_is_named(missing):
    with pytest.raises(ValueError, match=f"Whole has no {missing}"):
        from_plain(Whole, {k: v for k, v in PLAIN.items() if k != missing})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(name=st.sampled_from(list(PLAIN)), value=JSON)
def test_any_value_is_either_sound_or_refused(name, value):
    made, refusal = None, ""
    try:
        made = from_plain(Whole, PLAIN | {name: value})
    except ValueError as e:
        refusal = str(e)
    if made is None:
        assert len(refusal.splitlines()) == 1
        return
    assert from_plain(Whole, asdict(made)) == made
    assert json.loads(json.dumps(asdict(made), allow_nan=False))
    assert math.isfinite(made.share)


def test_parse_json():
    assert parse_json(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    deep = 100 * sys.getrecursionlimit()
    for bad in (b"", b"{", b"\xff", b"[" * deep, b"[" * deep + b"]" * deep, b'{"a":' * deep, b"1" * 10_000):
        with pytest.raises(ValueError, match=r".+"):
            parse_json(bad)
