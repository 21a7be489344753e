import json
import os
import subprocess
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from latency_tables import HwnasError, JournalError, ProfilerError
from latency_tables.progress import silent
from latency_tables.storage.journal import read_journal
from profilers import Protocol, RuntimeSetting, read_plan
from profilers.boards.kit import Part, measure_kit, pack_kit, read_kit
from profilers.runtimes import make_profiler
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

HEAVY = ("scipy", "pyarrow", "sklearn", "psutil", "torch", "onnx", "typer", "rich", "asyncssh")


def visits(results, part):
    return Counter((r["key"], r["round"]) for r in read_journal(results / f"{part}.jsonl")[1])


def once_a_round(kit, part):
    """What a quick kit measures: every model twice, networks in a row, but the one that fails only once."""
    keys = [m.key for m in read_kit(kit).parts[part].plan.models]
    if part == "networks":
        return Counter({(key, 0): 2 for key in keys})
    return Counter((key, r) for key in keys for r in range(1 if key == "net(0)" else 2))


def test_what_was_packed_is_read(make_kit, tmp_path):
    protocol = Protocol(groups=7)
    file = make_kit(tmp_path, protocol, threads=2, runtime="openvino", precision="fp32")
    kit = read_kit(file)
    in_pairs = replace(protocol, in_a_row=2, minimum_rounds=1, maximum_rounds=3)
    assert kit.setting == RuntimeSetting("openvino", 2, 1, "fp32")
    assert {name: (part.protocol, part.fresh) for name, part in kit.parts.items()} == {
        "ops": (protocol, False),
        "networks": (in_pairs, False),
    }
    ops, networks = (kit.parts[name].plan for name in ("ops", "networks"))
    assert [m.key for m in ops.models] == ["net(1)", "net(4)", "net(0)"]
    assert [(m.key, m.op) for m in networks.models] == [("tiny:2", None), ("tiny:6", None)]
    on_disk = read_plan(tmp_path / "op-plan")
    assert ops.reference() == networks.reference() == on_disk.reference()
    assert [ops.model(m) for m in ops.models] == [on_disk.model(m) for m in on_disk.models]


def test_the_same_plans_make_the_same_bytes(make_kit, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert make_kit(tmp_path / "a").read_bytes() == make_kit(tmp_path / "b").read_bytes()
    assert make_kit(tmp_path / "a").read_bytes() != make_kit(tmp_path / "b", threads=2).read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir() if p.is_file()] == ["kit.pyz"]


def test_a_kit_without_plans_says_what_the_board_is(tmp_path):
    setting = RuntimeSetting("onnxruntime", 2)
    pack_kit({}, setting, tmp_path / "kit.pyz")
    measure_kit(read_kit(tmp_path / "kit.pyz"), tmp_path / "results", lambda stage: silent)
    assert [p.name for p in (tmp_path / "results").iterdir()] == ["board.json"]
    profiler = make_profiler(**vars(setting))
    record = json.loads((tmp_path / "results" / "board.json").read_bytes())
    assert (record["target"], record["int8_form"]) == (vars(profiler.target()), profiler.int8_form)


def test_a_part_may_ask_for_fresh_processes(quick_kit, tmp_path, monkeypatch):
    def none(*args):
        raise AssertionError("measured in this process")

    parts = {name: replace(part, fresh=True) for name, part in read_kit(quick_kit).parts.items()}
    monkeypatch.setattr(OnnxRuntimeProfiler, "start", none)
    measure_kit(replace(read_kit(quick_kit), parts=parts), tmp_path, lambda stage: silent)
    assert visits(tmp_path, "ops") == once_a_round(quick_kit, "ops")


def test_measures_ops_in_turns_and_networks_in_a_row(quick_kit, tmp_path):
    measure_kit(read_kit(quick_kit), tmp_path, lambda stage: silent)
    for part in ("ops", "networks"):
        assert visits(tmp_path, part) == once_a_round(quick_kit, part)
    ops, networks = ([r["key"] for r in read_journal(tmp_path / f"{part}.jsonl")[1]] for part in ("ops", "networks"))
    assert ops[0] != ops[1]
    assert networks[0] == networks[1] != networks[2] == networks[3]
    record = json.loads((tmp_path / "board.json").read_bytes())
    assert record["target"] == vars(make_profiler("onnxruntime", 1, 1).target())
    assert set(record["versions"]) == {"python", "numpy", "system"}


def test_goes_on_and_never_measures_twice(quick_kit, tmp_path):
    kit = read_kit(quick_kit)

    def stop(done, total, what):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_kit(kit, tmp_path, lambda stage: stop)
    assert sum(visits(tmp_path, "ops").values()) == 3
    for _ in range(2):
        measure_kit(kit, tmp_path, lambda stage: silent)
        assert [visits(tmp_path, p) for p in ("ops", "networks")] == [
            once_a_round(quick_kit, p) for p in ("ops", "networks")
        ]


def test_results_of_other_work_are_left_alone(make_kit, quick_kit, tmp_path):
    out = tmp_path / "results"
    measure_kit(read_kit(quick_kit), out, lambda stage: silent)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(HwnasError) as e:
        measure_kit(read_kit(quick_kit), out, lambda stage: silent, threads=2)
    assert str(e.value) == f"{out} holds measurements of another threads (1, now 2); choose another folder with --out"
    other = make_kit(tmp_path, Protocol(groups=3))
    with pytest.raises(HwnasError, match="measurements of another kit; choose another folder"):
        measure_kit(read_kit(other), out, lambda stage: silent)
    (out / "board.json").write_text("{")
    with pytest.raises(HwnasError, match="measurements of another kit; choose another folder"):
        measure_kit(read_kit(quick_kit), out, lambda stage: silent)
    (out / "board.json").write_bytes(before[out / "board.json"])
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_a_try_that_measured_nothing_keeps_no_folder(quick_kit, tmp_path):
    def stop(done, total, what):
        raise AssertionError("no visit was asked for")

    kit = read_kit(quick_kit)
    with pytest.raises(ProfilerError, match="threads must be at least 1"):
        measure_kit(kit, tmp_path, lambda stage: stop, threads=0)
    with pytest.raises(ProfilerError, match="unknown runtime 'abacus'"):
        measure_kit(kit, tmp_path, lambda stage: stop, runtime="abacus")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is played by /dev/full")
def test_a_full_disk(quick_kit, tmp_path):
    kit = read_kit(quick_kit)
    measure_kit(kit, tmp_path, lambda stage: silent)
    (tmp_path / "networks.jsonl").unlink()
    (tmp_path / "networks.jsonl").symlink_to("/dev/full")
    with pytest.raises(JournalError, match="No space left on device; what was measured before is kept"):
        measure_kit(kit, tmp_path, lambda stage: silent)
    assert visits(tmp_path, "ops") == once_a_round(quick_kit, "ops")


@pytest.mark.parametrize("cut", [0, 10, 0.5, -1])
def test_a_cut_kit(quick_kit, tmp_path, cut):
    whole = quick_kit.read_bytes()
    (tmp_path / "kit.pyz").write_bytes(whole[: int(cut * len(whole)) if isinstance(cut, float) else cut])
    with pytest.raises(HwnasError, match="is not a kit, or damaged: make it with `hwnas kit`, or copy it again"):
        read_kit(tmp_path / "kit.pyz")


def test_what_is_no_kit(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("kit.json", "{}")
    with pytest.raises(HwnasError, match="is not a kit"):
        read_kit(tmp_path / "other.zip")
    with pytest.raises(HwnasError, match=r"cannot read the kit .*nowhere: No such file"):
        read_kit(tmp_path / "nowhere")
    with pytest.raises(HwnasError, match=r"cannot read the kit .*: Is a directory"):
        read_kit(tmp_path)


def test_a_model_that_was_damaged_on_the_way(quick_kit, tmp_path):
    kit = read_kit(quick_kit)
    ops = kit.parts["ops"].plan
    planned = ops.models[1]
    content = quick_kit.read_bytes()
    flipped = content.replace(ops.model(planned), b"?" + ops.model(planned)[1:])
    assert flipped != content
    (tmp_path / "kit.pyz").write_bytes(flipped)
    with pytest.raises(HwnasError, match=r"0001.onnx is damaged .its digest does not match."):
        measure_kit(read_kit(tmp_path / "kit.pyz"), tmp_path / "results", lambda stage: silent)


def test_a_damaged_model_is_not_packed(make_kit, tmp_path):
    kit = make_kit(tmp_path)
    kit.unlink()
    (tmp_path / "op-plan" / "0001.onnx").write_bytes(b"?")
    with pytest.raises(HwnasError, match=r"0001\.onnx is damaged"):
        pack_kit({"ops": Part(read_plan(tmp_path / "op-plan"), Protocol())}, RuntimeSetting("onnxruntime"), kit)
    assert not [p for p in tmp_path.iterdir() if p.is_file()]


def test_a_kit_that_cannot_be_written(make_kit, tmp_path):
    make_kit(tmp_path)
    parts = {"ops": Part(read_plan(tmp_path / "op-plan"), Protocol())}
    os.mkfifo(tmp_path / "pipe")
    for out, why in (
        (tmp_path / "kit.pyz" / "below", "File exists"),
        (tmp_path / "op-plan", "Is a directory"),
        (tmp_path / "pipe", "it is a device"),
    ):
        with pytest.raises(HwnasError, match=f"cannot write {out}: {why}"):
            pack_kit(parts, RuntimeSetting("onnxruntime"), out)
    assert (tmp_path / "pipe").is_fifo()


def test_needs_nothing_but_numpy_and_the_runtime(quick_kit, board_python):
    code = (
        "import importlib.util, sys; sys.path.insert(0, sys.argv[1])\n"
        f"print([m for m in {HEAVY!r} if importlib.util.find_spec(m)])\n"
        "import profilers.boards.kit_main, profilers.boards.results, latency_tables\n"
        "print(profilers.__file__)"
    )
    done = subprocess.run([board_python, "-I", "-c", code, quick_kit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", f"{quick_kit}/profilers/__init__.py"]
