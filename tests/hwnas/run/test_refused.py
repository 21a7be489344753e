"""A runtime that refuses some ops: the run goes on with the networks that do without them, and says so."""

import json

import pytest

from hwnas.cli.main import main
from hwnas.run import Run, Settings
from hwnas.run.refused import OpsRefused, texts_left
from latency_tables import HwnasError, TableError, load_table

PICKY = """
import onnx
from latency_tables import ProfilerError
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler


class Picky(OnnxRuntimeProfiler):
    def start(self, engine):
        sizes = [
            list(onnx.helper.get_attribute_value(attribute))
            for node in onnx.load_from_string(engine.content).graph.node
            for attribute in node.attribute
            if attribute.name == "kernel_shape"
        ]
        if {kernels} in sizes:
            raise ProfilerError("picky refuses {kernels}")
        return super().start(engine)
"""
QUICK = {"rounds": 1, "limit": 200, "calibration_networks": 10, "heldout_networks": 3}


@pytest.fixture
def picky(tmp_path):
    """Names, on the command line, a runtime that refuses convolutions of a size."""
    pytest.importorskip("onnxruntime")

    def runtime(kernels):
        (tmp_path / "picky.py").write_text(PICKY.replace("{kernels}", str(kernels)))
        return f"{tmp_path / 'picky.py'}:Picky"

    return runtime


def test_the_run_goes_on_without_them_and_does_so_again(picky, tmp_path, capsys):
    out, runtime = tmp_path / "run", picky([5, 5])
    options = [word for name, value in QUICK.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = ["profile", *options, "--space", "mbconv-32", "--fix", "depth*=2", "--runtime", runtime]
    assert main([*command, "--out", str(out), "--json"]) == 0
    answer, said = capsys.readouterr()
    assert "onnxruntime in fp32 refuses" in said
    assert "picky refuses [5, 5]" in said
    assert "--allow 'block1.1=" in said
    json.loads(answer)
    rows = load_table(out / "table").rows
    assert rows
    assert not any(row.error or dict(row.op.settings).get("kernel") == 5 for row in rows)
    assert main([*command, "--out", str(out), "--json"]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out) == json.loads(answer)
    assert "refuses" not in again.err


def test_in_python_a_new_run_of_the_folder_goes_on(picky, tmp_path):
    settings, out = Settings(**QUICK, fix=("depth*=1",), runtime=picky([5, 5])), tmp_path / "run"
    with Run(settings, out) as run, pytest.raises(OpsRefused, match=r"the networks of this run do without them"):
        run.profile()
    with Run(settings, out) as run:
        ops = run.inputs.space.all_ops
        assert not any(dict(op.settings).get("kernel") == 5 for op in ops)
        assert {row.op for row in run.profiling.table.rows} == set(ops)


def test_what_every_network_has_cannot_be_left_out(picky, tmp_path):
    out = tmp_path / "run"
    settings = Settings(**QUICK, fix=("depth*=1",), runtime=picky([1, 1]))
    with Run(settings, out) as run, pytest.raises(TableError, match=r"ops of mbconv-32.*hardly any network") as e:
        run.profile()
    assert not isinstance(e.value, OpsRefused)
    assert texts_left(out) == ()


def test_a_file_that_was_edited_is_named(tmp_path):
    (tmp_path / "refused.json").write_text('{"allow": ["block1.1=mb3k3"]}')
    with pytest.raises(HwnasError, match=r"refused\.json was edited or damaged .*; delete it") as e:
        texts_left(tmp_path)
    assert "\n" not in str(e.value)
