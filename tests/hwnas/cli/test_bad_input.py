"""Whatever is wrong: one line that says what and how to mend it, exit code 2, nothing lost."""

import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hwnas.cli.main import main

VERBS = ["run", "profile", "train-supernet", "search", "train", "export", "verify", "report"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bogus", "bogus"),
        ("table bogus", "bogus"),
        ("run --bogus 1", "--bogus"),
        ("run --threads x", "--threads"),
        ("run --threads", "--threads"),
        ("run --budget-ms soon", "--budget-ms"),
        ("run extra", "extra"),
        ("table show", "folder"),
        ("table measure", "plan"),
    ],
)
def test_what_the_command_line_does_not_know_is_named_with_where_the_help_is(line, words, refused):
    said = refused(*line.split())
    assert words in said.lower()
    assert "--help`" in said


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_option_of_any_verb(verb, refused):
    assert f"hwnas {verb} --help" in refused(verb, "--colour", "red")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--threads", "0"), ("--pairs", "9"), ("--calibration-networks", "9"), ("--train-epochs", "0"), ("--seed", "-1")],
)
def test_a_number_that_is_too_small_names_its_option_and_starts_nothing(option, value, refused, tmp_path):
    said = refused("run", option, value, "--out", tmp_path / "run")
    assert option in said
    assert "at least" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("budget", ["0", "-1", "nan"])
def test_a_budget_that_is_not_positive(budget, refused, tmp_path):
    assert "--budget-ms must be more than 0" in refused("run", "--budget-ms", budget, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_space_lists_the_known_ones(refused, tmp_path):
    said = refused("run", "--space", "mbconf-32", "--out", tmp_path / "run")
    for words in ("mbconf-32", "mbconv-32", "mbconv-112", "mbconv-224", "ofa-mbv3"):
        assert words in said


def test_an_unknown_runtime_lists_the_known_ones(refused, tmp_path):
    said = refused("run", "--runtime", "onyx", "--limit", 200, "--out", tmp_path / "run")
    assert "onyx" in said
    assert "onnxruntime" in said


@pytest.mark.parametrize("typo", [("--space", "mbconf-32"), ("--data", "nowhere.parquet"), ("--runtime", "onyx")])
def test_a_typo_does_not_take_the_folder_for_itself(typo, refused, tmp_path):
    too_few = ("--limit", "3", "--out", tmp_path / "run")
    refused("run", *typo, *too_few)
    assert "a limit of 3 images is too small" in refused("run", *too_few)


def test_resume_without_a_run(refused, tmp_path):
    assert "start one without --resume" in refused("run", "--resume", "--out", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def parquet(path, images, labels):
    pq.write_table(pa.table({"image": [{"bytes": i, "path": None} for i in images], "label": labels}), path)
    return path


def pictures(count):
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(count):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    return encoded


def test_data_that_is_missing(refused, tmp_path):
    for name in ("nowhere.parquet", "nowhere"):
        assert name in refused("profile", "--data", tmp_path / name, "--out", tmp_path / "run")


def test_data_that_is_truncated(refused, tmp_path):
    whole = parquet(tmp_path / "whole.parquet", pictures(20), [0, 1] * 10).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    said = refused("profile", "--data", tmp_path / "cut.parquet", "--out", tmp_path / "run")
    assert "cut.parquet" in said
    assert "not a readable Parquet file" in said


def test_data_of_one_class(refused, tmp_path):
    path = parquet(tmp_path / "one.parquet", pictures(20), [4] * 20)
    said = refused("profile", "--data", path, "--out", tmp_path / "run")
    assert "one.parquet" in said
    assert "at least two classes" in said


def test_an_image_that_cannot_be_decoded_is_named(refused, tmp_path):
    images = pictures(20)
    images[13] = images[13][:40]
    path = parquet(tmp_path / "broken.parquet", images, [0, 1] * 10)
    said = refused("profile", "--data", path, "--out", tmp_path / "run")
    assert "broken.parquet, row 13" in said


def test_a_folder_with_an_image_that_is_none(refused, tmp_path):
    for i, picture in enumerate(pictures(20)):
        file = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
    (tmp_path / "photos" / "b" / "7.png").write_text("not a picture")
    assert "7.png" in refused("profile", "--data", tmp_path / "photos", "--out", tmp_path / "run")


def test_a_folder_that_is_not_a_runs_own(refused, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "choose another --out" in refused("run", "--out", tmp_path)
    assert "choose another --out" in refused("run", "--out", tmp_path / "thesis.tex")
    assert "choose another --out" in refused("run", "--out", tmp_path / "thesis.tex" / "below")
    assert refused("run", "--out", tmp_path / ("x" * 300))
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def table(two_ops, tmp_path, capsys):
    """A table measured by the command line."""
    assert main(["table", "measure", str(two_ops), "--rounds", "1", "--out", str(tmp_path / "table"), "--json"]) == 0
    assert '"ops": 2' in capsys.readouterr().out
    return tmp_path / "table"


@pytest.mark.parametrize("file", ["rows.parquet", "provenance.json", "reference.onnx"])
def test_a_damaged_table_is_refused(table, file, refused):
    whole = (table / file).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (whole[: len(whole) // 2], b"", bytes(flipped)):
        (table / file).write_bytes(content)
        assert re.search("truncated or damaged", refused("table", "show", table))
    (table / file).unlink()
    assert file in refused("table", "show", table)
    (table / file).write_bytes(whole)
    assert main(["table", "show", str(table)]) == 0


def test_a_table_that_is_shown_names_what_it_is_true_for(table, capsys):
    assert main(["table", "show", str(table), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["provenance"]["space"] == "two-ops"
    assert len(shown["rows"]) == 2
    assert main(["table", "show", str(table)]) == 0
    text = capsys.readouterr().out
    assert shown["provenance"]["target"]["device"] in text
    assert "two-ops" in text


def test_measuring_what_is_no_plan_or_a_damaged_one(two_ops, refused, tmp_path):
    out = ("--out", tmp_path / "table")
    assert "is not a plan" in refused("table", "measure", tmp_path / "nowhere", *out)
    copy = shutil.copytree(two_ops, tmp_path / "plan")
    (copy / "0001.onnx").write_bytes((copy / "0001.onnx").read_bytes()[:-1])
    assert "0001.onnx is damaged" in refused("table", "measure", copy, *out)
    (copy / "plan.json").write_text("{")
    assert "is damaged" in refused("table", "measure", copy, *out)


def test_measuring_with_an_unknown_runtime_or_no_thread(two_ops, refused, tmp_path):
    assert "onyx" in refused("table", "measure", two_ops, "--runtime", "onyx", "--out", tmp_path / "table")
    assert "at least 1" in refused("table", "measure", two_ops, "--threads", "0", "--out", tmp_path / "table")


def test_measuring_into_a_place_that_cannot_be_written(two_ops, refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "file" in refused("table", "measure", two_ops, "--out", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is played by /dev/full")
def test_a_full_disk_while_measuring(two_ops, refused, tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "journal.jsonl").symlink_to("/dev/full")
    said = refused("table", "measure", two_ops, "--out", tmp_path / "table")
    assert "No space left on device" in said
    assert "free some space" in said


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is played by /dev/full")
def test_a_full_disk_while_a_run_profiles(profiled, refused):
    (profiled / "stages" / "profile.json").unlink()
    (journal,) = (profiled / "journals").glob("ops-*")
    journal.unlink()
    journal.symlink_to("/dev/full")
    assert "No space left on device" in refused("profile", "--out", profiled)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["run", "search"])
def test_a_budget_below_the_fastest_network_names_it_before_anything_is_trained(verb, profiled, refused):
    said = refused(verb, "--resume", "--budget-ms", "0.001", "--out", profiled)
    assert re.search(r"the fastest is mbconv-32:\S+ with [\d.]+ ms", said)
    assert not (profiled / "supernet.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["zzz", "mbconv-32:", "mbconv-32:mb3k3/mb3k3/mb3k3", "mbconv-112:mb3k3", ""])
def test_an_architecture_that_does_not_parse(arch, profiled, refused):
    for verb in ("train", "export", "verify"):
        assert "cannot parse" in refused(verb, "--arch", arch, "--out", profiled)
    assert not (profiled / "supernet.safetensors").exists()


@pytest.mark.slow
def test_an_architecture_that_does_not_parse_does_not_stay(own_copy, refused):
    refused("train", "--arch", "zzz", "--out", own_copy)
    assert main(["train", "--out", str(own_copy)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--space", "mbconv-112", "space is 'mbconv-32', not 'mbconv-112'"),
        ("--threads", "2", "threads is 1, not 2"),
        ("--data", str(Path(__file__).parent), f"data is 'digits', not {str(Path(__file__).parent)!r}"),
        ("--limit", "300", "limit is 200, not 300"),
    ],
)
def test_the_folder_of_another_run(option, value, words, own_copy, refused):
    before = (own_copy / "run.json").read_bytes()
    assert words in refused("profile", option, value, "--out", own_copy)
    assert (own_copy / "run.json").read_bytes() == before
