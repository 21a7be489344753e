"""`README.md` of the folder: a model card with the head that Hugging Face reads, and how to use and check it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from deploy.folder.manifest import INFER, MANIFEST, PROBE, FolderManifest, ShippedModel
from deploy.formats import FORMATS
from deploy.onnx_file import DYNAMIC


def card(manifest: FolderManifest) -> str:
    """The text. Names that come from data stand in quotes, as JSON writes them, which is YAML too."""
    best = manifest.model(manifest.recommended)
    contract = best.contract
    head = [
        "---",
        f"library_name: {best.format}",
        "pipeline_tag: image-classification",
        "tags: [image-classification, hardware-aware-nas, hwnas]",
        f"datasets: [{_quoted(contract.data.name)}]",
    ]
    if best.accuracy is not None:
        metric = f"{{type: accuracy, name: test accuracy, value: {best.accuracy:.6f}}}"
        head += [
            "model-index:",
            f"- name: {_quoted(best.name)}",
            "  results:",
            "  - task: {type: image-classification}",
            f"    dataset: {{type: {_quoted(contract.data.name)}, name: {_quoted(contract.data.name)}}}",
            f"    metrics: [{metric}]",
        ]
    lines = [
        *head,
        "---",
        f"# {manifest.name}",
        "",
        f"`{contract.architecture}` of the space `{contract.space}`, an image classifier of {len(contract.classes)} "
        f"classes, found by hardware-aware architecture search (hwnas {manifest.hwnas_version}).",
        "",
        f"* in: {contract.input.describe()}",
        f"* out: {contract.output.describe()}",
        f"* measured on: {manifest.device}, {manifest.threads} thread(s)",
        f"* recommended: **{manifest.recommended}**, {manifest.recommendation}",
        "",
        "| model | test accuracy | ms (95 %) | predicted ms | products as asked | answers |",
        "|---|---|---|---|---|---|",
        *map(_row, manifest.models),
        "",
        *(f"Left out: {name}, {why}.\n" for name, why in manifest.left_out.items()),
        "## Use",
        "",
        f"`python {INFER} {PROBE}` needs numpy and the runtime only; `{PROBE}` are images to try, yours are .npy files "
        "of uint8 [n, 3, h, w].",
        "Every model folder is a model of Triton's model repository"
        + _but_not(m.name for m in manifest.models if FORMATS[m.format].triton is None)
        + ": `tritonserver --model-repository=.`",
        "",
        "## Check",
        "",
        f"`hwnas verify .` compares this folder with `{MANIFEST}`, builds every model again from ONNX, and compares "
        "what they answer. An engine (.plan) is native code: it is opened only with `--trust SHA256`.",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _but_not(names: Iterable[str]) -> str:
    left = list(names)
    return f" (but {', '.join(left)})" if left else ""


def _row(m: ShippedModel) -> str:
    accuracy = "-" if m.accuracy is None else f"{100 * m.accuracy:.2f} %"
    predicted = "-" if m.predicted is None else f"{m.predicted.ms:.4g}"
    ms = "-"
    if m.measured is not None:
        ms = f"{m.measured.ms:.4g} ({m.measured.low_ms:.4g} to {m.measured.high_ms:.4g})"
    proof = f"{m.proof.share_pct:.0f} % of {m.proof.products}"
    batch = {1: "", DYNAMIC: ", any batch"}.get(m.batch, f", batch {m.batch}")
    return f"| {m.name}{batch} | {accuracy} | {ms} | {predicted} | {proof} | {m.unchecked or 'checked'} |"
