import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency_tables import HwnasError, Op, OpCost
from latency_tables.storage.signed import signed_bytes
from profilers import read_plan, write_plan

OP = Op.of("conv", (3, 8, 8), stride=2, out=16)


def write(folder):
    models = [
        (OP.key, OP, OpCost(0.25, 1000, 64), b"first model"),
        ("0-1-2-3", None, OpCost(1.5, 2**40, 128), b"a whole network"),
        ("gelu(8)", Op.of("gelu", (8,)), OpCost(0.0, 0, 0), b""),
    ]
    return write_plan(folder, "tiny", b"the reference", iter(models))


def refusal(call, *args):
    with pytest.raises(HwnasError) as e:
        call(*args)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_round_trip(tmp_path):
    plan = write(tmp_path / "deep" / "plan")
    assert read_plan(tmp_path / "deep" / "plan") == plan
    assert plan.space == "tiny"
    assert [m.op for m in plan.models] == [OP, None, Op.of("gelu", (8,))]
    assert [plan.model(m) for m in plan.models] == [b"first model", b"a whole network", b""]
    assert plan.reference() == b"the reference"
    assert plan.models[0].sha256 == hashlib.sha256(b"first model").hexdigest()


def test_costs_are_of_ops_only(tmp_path):
    assert write(tmp_path).costs == {OP: OpCost(0.25, 1000, 64), Op.of("gelu", (8,)): OpCost(0.0, 0, 0)}


def test_a_plan_may_move(tmp_path):
    write(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    plan = read_plan(tmp_path / "there")
    assert plan.model(plan.models[0]) == b"first model"


def test_people_can_read_it(tmp_path):
    write(tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    assert content["space"] == "tiny"
    assert content["models"][0]["key"] == "conv(3x8x8; out=16 stride=2)"
    assert content["models"][0]["cost"] == {"weight_mb": 0.25, "macs": 1000, "params": 64}


def test_a_damaged_model_is_refused(tmp_path):
    plan = write(tmp_path)
    path = tmp_path / plan.models[0].file
    for content in (b"", b"first mode", b"First model", b"a whole network"):
        path.write_bytes(content)
        assert refusal(plan.model, plan.models[0]) == (
            f"the model {path} is damaged (its digest does not match); make the plan again"
        )
    path.unlink()
    assert refusal(plan.model, plan.models[0]) == (
        f"cannot read the model {path}: No such file or directory; make the plan again"
    )
    (tmp_path / "reference.onnx").write_bytes(b"another")
    assert "is damaged" in refusal(plan.reference)


def test_a_model_file_lies_in_the_folder(tmp_path):
    write(tmp_path / "plan")
    path = tmp_path / "plan" / "plan.json"
    content = json.loads(path.read_text())
    (tmp_path / "secret").write_bytes(b"secret")
    for name in ("../secret", str(tmp_path / "secret"), "..", "/"):
        content.pop("sha256", None)
        content["models"][0] |= {"file": name, "sha256": hashlib.sha256(b"secret").hexdigest()}
        path.write_bytes(signed_bytes(content))
        plan = read_plan(tmp_path / "plan")
        assert "cannot read the model" in refusal(plan.model, plan.models[0])


def test_not_a_plan(tmp_path):
    assert refusal(read_plan, tmp_path) == f"{tmp_path} is not a plan: {tmp_path / 'plan.json'}: " + (
        "No such file or directory"
    )
    (tmp_path / "plan.json").mkdir()
    assert "is not a plan" in refusal(read_plan, tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"3", b"{}", b"\xff\xfe\x00", b'{"space": "s", "reference_sha256": "0"}']
    + [
        json.dumps({"space": "s", "reference_sha256": "0", "models": models}).encode()
        for models in (3, [3], [{}], {"a": 1}, [{"key": "k", "op": 1, "cost": {}, "file": "f", "sha256": ""}])
    ],
)
def test_a_damaged_plan(tmp_path, content):
    (tmp_path / "plan.json").write_bytes(content)
    assert refusal(read_plan, tmp_path) == f"the plan in {tmp_path} is damaged; make it again"


# the folder is shared by the examples: each one overwrites the file
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_and_truncation(tmp_path, data):
    if not (tmp_path / "whole").exists():
        write(tmp_path / "whole")
    content = bytearray((tmp_path / "whole" / "plan.json").read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 2)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "plan.json").write_bytes(content)
    message = ""
    try:
        assert read_plan(tmp_path) == replace(read_plan(tmp_path / "whole"), folder=tmp_path)
    except HwnasError as e:
        message = str(e)
    assert message in ("", f"the plan in {tmp_path} is damaged; make it again")


def test_every_digit_and_letter_counts(tmp_path):
    write(tmp_path)
    path = tmp_path / "plan.json"
    whole = path.read_text()
    for before, after in (('"macs": 1000', '"macs": 9000'), ('"key": "0-1-2-3"', '"key": "0-1-2-4"')):
        assert before in whole
        path.write_text(whole.replace(before, after))
        assert refusal(read_plan, tmp_path) == f"the plan in {tmp_path} is damaged; make it again"


def test_a_plan_without_a_digest_is_made_again(tmp_path):
    write(tmp_path)
    path = tmp_path / "plan.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert refusal(read_plan, tmp_path) == f"the plan in {tmp_path} is damaged; make it again"


def test_a_plan_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write" in refusal(write, tmp_path / "file")
