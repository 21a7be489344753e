"""One tiny run from end to end on this machine, and what goes on from it."""

import hashlib
import html
import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from deploy.answers import logits, open_to_answer
from hwnas.cli.main import main
from hwnas.data import load_dataset

pytestmark = pytest.mark.slow

PROMISED = {
    "budget_ms", "predicted_ms", "predicted_upper_ms", "measured_ms", "measured_ci95_ms", "verified",
    "test_accuracy", "arch", "n_ops", "table", "onnx", "report", "seconds",
}  # fmt: skip
STAGES = {"ops", "profile", "calibrate", "supernet", "predict", "search", "train", "export", "verify", "test", "report"}


def strict(text):
    """JSON as other languages know it: no NaN, no Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def result(finished):
    return strict((finished.folder / "result.json").read_text())


def test_the_result_has_all_that_was_promised(result):
    assert set(result) >= PROMISED
    assert set(result["seconds"]) == STAGES
    assert all(seconds >= 0 for seconds in result["seconds"].values())
    low, high = result["measured_ci95_ms"]
    assert 0 < low <= result["measured_ms"] <= high
    assert 0 < result["predicted_ms"] <= result["predicted_upper_ms"]
    assert result["arch"].startswith("mbconv-32:")
    assert result["n_ops"] == 170
    assert all(math.isfinite(v) for v in result.values() if isinstance(v, float))


def test_the_process_prints_the_result_and_its_exit_code_is_the_verdict(finished, result):
    assert strict(finished.process.stdout.splitlines()[-1]) == result
    assert finished.process.stdout.count("\n") == 1
    assert finished.process.returncode == (0 if result["verified"] else 1)
    assert ("PASS: measured" in finished.process.stderr) == result["verified"]
    assert "held-out error of the latency model" in finished.process.stderr
    assert f"{result['budget_ms']:.4g} ms ({result['budget_source']})" in finished.process.stderr
    assert result["budget_source"] in (
        "median predicted latency of 1000 random networks",
        "upper bound of the fastest 10 % of 1000 random networks, since intervals are wide",
    )


def test_the_winner_was_predicted_inside_the_budget_and_verified_means_measured_inside(result):
    assert result["predicted_upper_ms"] <= result["budget_ms"]
    assert result["verified"] == (result["measured_ci95_ms"][1] <= result["budget_ms"])


def test_every_file_that_the_result_names_exists(finished, result):
    for key in ("table", "onnx", "report"):
        assert (finished.folder / result[key]).exists(), key
    assert len(list(finished.folder.glob("*.png"))) >= 3
    page = (finished.folder / result["report"]).read_text()
    assert result["arch"] in page
    assert "http://" not in page.replace("http://www.w3.org", "")  # opens offline


def test_a_stranger_gets_the_reported_accuracy_from_the_two_files_and_raw_pixels(finished, result):
    """Nothing of hwnas but which images are the test split: what to feed and how to read it stand in model.json."""
    test = load_dataset("digits", size=32, limit=200).test
    model = finished.folder / result["onnx"]
    contract = json.loads(model.with_name("model.json").read_text())
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given, answer = contract["input"], contract["output"]
    assert (given["dtype"], given["layout"], given["value_range"]) == ("uint8", "NCHW", [0, 255])
    assert given["shape"] == [1, *test.images.shape[1:]]
    names = [
        contract["classes"][session.run([answer["name"]], {given["name"]: image[None]})[0].argmax()]
        for image in test.images
    ]
    assert np.mean(np.array(names, dtype=int) == test.labels) == result["test_accuracy"]
    assert contract["architecture"] == result["arch"]
    assert contract["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()


def test_the_snippet_of_the_report_works_as_it_stands(finished, result, tmp_path):
    page = html.unescape((finished.folder / result["report"]).read_text())
    (snippet,) = re.findall(r'<pre class="code">(.*?)</pre>', page, re.DOTALL)
    model, test = finished.folder / result["onnx"], load_dataset("digits", size=32, limit=200).test
    assert result["onnx"] in page
    shutil.copy(model, tmp_path)
    shutil.copy(model.with_name("model.json"), tmp_path)
    Image.fromarray(test.images[0].transpose(1, 2, 0)).save(tmp_path / "photo.png")
    (tmp_path / "use.py").write_text(snippet.replace("photo.jpg", "photo.png"))
    said = subprocess.run([sys.executable, "-P", "use.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(logits(open_to_answer(model.read_bytes()), test.images[:1]).argmax())


def records(folder):
    """When every stage was last done, [stage -> ns]."""
    return {p.stem: p.stat().st_mtime_ns for p in (folder / "stages").glob("*.json")}


def test_running_again_does_nothing_and_says_the_same(own_copy, tiny, result, capsys):
    before = records(own_copy)
    code = main(["run", *tiny, "--json", "--out", str(own_copy)])
    said = capsys.readouterr()
    assert records(own_copy) == before
    assert not [line for line in said.err.splitlines() if line.endswith("...")]  # no stage was announced
    assert said.err.count("already done") == len(before)
    again = strict(said.out)
    assert code == (0 if result["verified"] else 1)
    assert again.pop("seconds") == pytest.approx(result.pop("seconds"), abs=0.02)
    assert again == result


def test_longer_training_redoes_what_it_concerns_and_no_measurement_or_supernet(own_copy, tiny, capsys):
    before, journals = records(own_copy), sizes(own_copy / "journals")
    main(["run", *tiny, "--train-epochs", "2", "--json", "--out", str(own_copy)])
    result = strict(capsys.readouterr().out)
    after, winner = records(own_copy), result["onnx"].split("/")[1]
    redone = {name for name, when in after.items() if when != before.get(name)}
    assert redone >= {f"{kind}-{winner}" for kind in ("train", "export", "verify", "test")} | {"report"}
    assert not redone & {"ops", "profile", "calibrate", "supernet", "predict", "search-1"}
    assert sizes(own_copy / "journals").items() >= journals.items()
    train = json.loads((own_copy / "stages" / f"train-{winner}.json").read_text())
    assert train["result"]["curve"]["epoch"] == [1, 2]


def test_another_strategy_redoes_the_search_alone_and_asks_the_supernet_inside_the_budget(own_copy, result, capsys):
    before = records(own_copy)
    main(["search", "--strategy", "prednas", "--queries", "6", "--json", "--out", str(own_copy)])
    found = strict(capsys.readouterr().out)
    after = records(own_copy)
    assert {name for name, when in after.items() if when != before.get(name)} == {"search-1"}
    search = json.loads((own_copy / "stages" / "search-1.json").read_text())["result"]
    assert 6 <= search["evaluated"] <= 6 + 10  # and those of the ten pairs that keep the budget
    assert max(search["front"]["upper_ms"]) <= result["budget_ms"]
    assert found["predicted_upper_ms"] <= result["budget_ms"]
    journal = next((own_copy / "journals").glob("scores-*.jsonl")).read_text()
    assert found["arch"] in journal  # the supernet itself has judged it


def sizes(folder):
    return {p.name: p.stat().st_size for p in folder.iterdir() if not p.name.startswith("scores")}


def test_a_damaged_output_is_made_again_by_its_own_stage(own_copy, result, capsys):
    model = own_copy / result["onnx"]
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    assert main(["report", "--out", str(own_copy)]) == (0 if result["verified"] else 1)
    assert "export to ONNX: what it wrote is gone or damaged, so it is done again" in capsys.readouterr().err
    assert model.read_bytes() == whole


def test_a_damaged_supernet_is_trained_again_or_the_remedy_is_named(own_copy, capsys):
    path = own_copy / "supernet.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    code, said = main(["train-supernet", "--json", "--out", str(own_copy)]), capsys.readouterr()
    assert code == 0, said.err
    assert "what it wrote is gone or damaged, so it is done again" in said.err
    assert strict(said.out)["predictor_tau"] is None or -1 <= strict(said.out)["predictor_tau"] <= 1


VERBS = {
    "profile": {"table", "ops", "heldout_mape_pct", "heldout_within5_pct"},
    "train-supernet": {"largest_validation_accuracy", "predictor_tau"},
    "search": {"arch", "budget_ms", "predicted_ms", "predicted_upper_ms", "front"},
    "train": {"arch", "validation_accuracy", "weights"},
    "export": {"path", "nodes", "parity_max_abs"},
    "verify": {"measured_ms", "measured_ci95_ms", "verified"},
    "report": PROMISED,
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_on_a_finished_run_answers_with_one_object_and_does_nothing_again(verb, finished, result, capsys):
    before = records(finished.folder)
    code, said = main([verb, "--json", "--out", str(finished.folder)]), capsys.readouterr()
    answer = strict(said.out)
    assert said.out.count("\n") == 1
    assert set(answer) >= VERBS[verb]
    if result["attempts"] == 1:  # else `verify` speaks of the first attempt's network
        assert code == (1 if "verified" in answer and not result["verified"] else 0)
        assert records(finished.folder) == before
    assert main([verb, "--out", str(finished.folder)]) == code
    assert capsys.readouterr().out.strip()


def test_another_network_can_be_trained_exported_and_measured_and_the_winner_stays(own_copy, result, capsys):
    small = "mbconv-32:mb3k3/mb3k3/mb3k3/mb3k3"
    for verb in ("train", "export"):
        assert main([verb, "--arch", small, "--json", "--out", str(own_copy)]) == 0
    verified = main(["verify", "--arch", small, "--json", "--out", str(own_copy)])
    *_, trained, exported, measured = capsys.readouterr().out.splitlines()
    assert strict(trained)["arch"] == small
    assert strict(exported)["path"] != str(own_copy / result["onnx"])
    assert verified == (0 if strict(measured)["verified"] else 1)
    assert strict(measured)["measured_ms"] < result["measured_ms"]
    if result["attempts"] == 1:
        main(["export", "--json", "--out", str(own_copy)])
        assert strict(capsys.readouterr().out)["path"] == str(own_copy / result["onnx"])


def test_a_lost_op_model_is_made_again(own_copy, capsys):
    lost = own_copy / "ops" / "0007.onnx"
    whole = lost.read_bytes()
    lost.unlink()
    assert main(["profile", "--out", str(own_copy)]) == 0
    assert "latency table: already done" in capsys.readouterr().err
    assert lost.read_bytes() == whole
