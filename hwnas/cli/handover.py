"""`hwnas export --to` and `hwnas verify FOLDER`: the folder that one hands over, made and checked by a stranger."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli import verbs
from hwnas.cli.answer import Answer
from hwnas.cli.display import one_stage, say_loading
from hwnas.cli.options import with_settings
from hwnas.run.settings import DIGITS
from latency_tables import HwnasError
from latency_tables.storage.files import plain_json

if TYPE_CHECKING:
    from deploy.folder import FolderManifest, FolderVerdict
    from hwnas.run import Run

_CODES = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
_OF_IMAGES = ("data", "test_data", "limit")

_TO = typer.Option(help="write a folder to hand over, in these formats: onnx, openvino, tensorrt, tensorrt-rtx")
_BATCH = typer.Option(help="with --to: batches, e.g. 1,8,dynamic")
_CAPABILITY = typer.Option(help="with --to: compute capabilities to build for, e.g. 8.6 [default: the GPU here]")
_MEASURE = typer.Option(help="with --to: measure every model in fresh processes")
_HANDED = typer.Option(help="with --to: where it is written [default: OUT/handover]")
_FOLDER = typer.Argument(help="a folder of `hwnas export --to`; none: the run's winner")
_TRUST = typer.Option(help="with FOLDER: SHA-256 of an engine to open; may repeat")
_MODEL = typer.Option(help="with FOLDER: the model that --budget-ms is about [default: the recommended one]")


def export_verb() -> Callable[..., Answer]:
    """`hwnas export`: as a verb of a run; with --to, the folder."""
    of_run = with_settings(verbs.export)

    def export(
        to: Annotated[str | None, _TO] = None,
        batch: Annotated[str, _BATCH] = "1",
        capability: Annotated[str, _CAPABILITY] = "",
        measure: Annotated[bool, _MEASURE] = True,
        folder: Annotated[Path | None, _HANDED] = None,
        **options: Any,
    ) -> Answer:
        if to is None:
            if folder is not None:
                raise HwnasError("--folder goes with --to: the formats of the models in it, e.g. --to onnx,openvino")
            return of_run(**options)
        precisions = options.pop("precision", None)  # those of the files; the run keeps its own
        from deploy.folder import Wanted

        wanted = Wanted.of_texts(to, precisions or "fp32", batch, capability, measure=measure)

        def export(run: Run) -> Answer:
            from hwnas.run.handover import hand_over

            where = folder or run.folder.path / "handover"
            return _handed(hand_over(run, wanted, where, keep_precision=not precisions), where)

        return with_settings(export)(precision=None, **options)

    return _joined(export, of_run)


def verify_verb() -> Callable[..., Answer]:
    """`hwnas verify`: as a verb of a run; with FOLDER, that folder, whoever made it."""
    of_run = with_settings(verbs.verify)

    def verify(
        folder: Annotated[Path | None, _FOLDER] = None,
        trust: Annotated[list[str] | None, _TRUST] = None,
        model: Annotated[str | None, _MODEL] = None,
        **options: Any,
    ) -> Answer:
        if folder is None:
            if trust or model:
                raise HwnasError("--trust and --model go with a folder: hwnas verify FOLDER")
            return of_run(**options)
        given = {name for name, value in options.items() if value not in (None, [], False)}
        if odd := sorted(given - {"budget_ms", *_OF_IMAGES}):
            option = "--" + odd[0].replace("_", "-")
            raise HwnasError(f"{option} does not go with a folder, which says itself what it is; leave it out")
        return _verified(folder, tuple(trust or ()), model, options)

    return _joined(verify, of_run)


def _joined(verb: Callable[..., Answer], of_run: Callable[..., Answer]) -> Callable[..., Answer]:
    """A verb with its own options and those of the verb of a run that it stands for; the help is of the latter."""
    own = [p for p in inspect.signature(verb).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    both = [*inspect.signature(of_run).parameters.values(), *own]
    kinds = inspect.get_annotations(verb, eval_str=True) | of_run.__annotations__
    verb.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    verb.__annotations__ = {p.name: kinds[p.name] for p in both}
    verb.__doc__ = of_run.__doc__
    return verb


def _handed(manifest: FolderManifest, where: Path) -> Answer:
    lines = [f"{where}: {len(manifest.models)} models; {manifest.recommended}: {manifest.recommendation}"]
    for m in manifest.models:
        accuracy = "" if m.accuracy is None else f"  {100 * m.accuracy:.2f} %"
        ms = "" if m.measured is None else f"  {m.measured.ms:.4g} ms"
        asked = "" if m.proof.share_pct == 100 else f"  not {m.precision} on this device: {m.proof.offender}"
        lines.append(f"  {m.name}{accuracy}{ms}{asked}{'  ' * bool(m.unchecked)}{m.unchecked}")
    lines += [f"  left out: {name}: {why}" for name, why in manifest.left_out.items()]
    return Answer({"folder": str(where), **plain_json(asdict(manifest))}, "\n".join(lines))


def _verified(folder: Path, trust: tuple[str, ...], model: str | None, options: dict[str, Any]) -> Answer:
    say_loading()
    from deploy.folder import manifest_of, verify_folder

    images, classes = None, ()
    if options.get("data"):
        images, classes = _images(manifest_of(folder), options)
    with one_stage("folder") as progress:
        verdict = verify_folder(
            folder,
            trust=trust,
            images=images,
            classes=classes,
            budget_ms=options.get("budget_ms"),
            model=model,
            progress=progress,
        )
    return Answer(asdict(verdict), "\n".join(_lines(verdict)), _CODES[verdict.verdict])


def _images(manifest: FolderManifest, options: dict[str, Any]) -> Any:
    """The test split of the data that is given, in the size that the models take, and its classes."""
    from hwnas.data import load_dataset

    size = manifest.probe_shape[-1]
    source = options["data"] if options["data"] == DIGITS else str(Path(options["data"]).expanduser())
    data = load_dataset(
        source, test_source=options.get("test_data"), size=size, limit=options.get("limit"), stream=False
    )
    return data.test, data.classes


def _lines(verdict: FolderVerdict) -> list[str]:
    lines = [f"{verdict.verdict}: {verdict.model}" if verdict.model else verdict.verdict]
    lines += [f"  {reason}" for reason in verdict.reasons]
    for m in verdict.models:
        said = [f"answers off by {off:.1e}" for off in (m.rebuilt_off, m.file_off) if off is not None]
        accuracy = [] if m.accuracy is None else [f"{100 * m.accuracy:.2f} % of the images right"]
        lines.append(f"  {m.name}: {', '.join([*said[:1], *accuracy]) or 'not asked'}")
    return lines + [f"  {note}" for note in verdict.notes]
