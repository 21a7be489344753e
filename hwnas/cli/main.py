"""The command `hwnas`: every error is one line and exit code 2, Ctrl-C is 130, a FAIL of the device is 1."""

from __future__ import annotations

import sys

import typer

from hwnas.cli import boards, tables, verbs
from hwnas.cli.fleet import fleet
from hwnas.cli.options import with_settings
from latency_tables import HwnasError

_STOPPED = 130
_EXTRAS = {
    **dict.fromkeys(("torch", "onnx", "onnxscript", "safetensors", "pymoo", "PIL", "matplotlib", "jinja2"), "search"),
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "pynvml": "nvidia",
    "ray": "ray",
}


def build_app() -> typer.Typer:
    """All verbs."""
    app = typer.Typer(
        help="Hardware-aware neural architecture search with measured latency tables.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich would take the [default: ...] of the help texts for markup
    )
    for verb in (
        verbs.run,
        verbs.profile,
        verbs.train_supernet,
        verbs.search,
        verbs.train,
        verbs.export,
        verbs.verify,
        verbs.report,
    ):
        app.command(verb.__name__.replace("_", "-"))(with_settings(verb))
    app.command()(fleet)
    app.command()(boards.kit)
    app.add_typer(tables.app, name="table")
    return app


def _complain(message: str) -> int:
    print(f"hwnas: {' '.join(message.split())}", file=sys.stderr)
    return 2


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if given in ([], ["table"]):
        given = [*given, "--help"]
    try:
        # typer makes Ctrl-C an exit with 130; no verb ends with that code.
        code = int(build_app()(given, prog_name="hwnas", standalone_mode=False) or 0)
        return _stopped() if code == _STOPPED else code
    except (typer.Abort, KeyboardInterrupt):
        return _stopped()
    except typer.TyperException as e:
        context: typer.Context | None = getattr(e, "ctx", None)
        return _complain(
            f"{e.format_message().rstrip('.')} (see `{context.command_path if context else 'hwnas'} --help`)"
        )
    except HwnasError as e:
        return _complain(str(e))
    except OSError as e:
        return _complain(f"{e.filename}: {e.strerror}" if e.filename and e.strerror else str(e))
    except ModuleNotFoundError as e:
        package = (e.name or "").split(".")[0]
        if package not in _EXTRAS:
            raise
        return _complain(f"this needs {package}: pip install 'hwnas[{_EXTRAS[package]}]'")


def _stopped() -> int:
    print("hwnas: stopped; what was done is kept, and the same command goes on from there", file=sys.stderr)
    return _STOPPED


if __name__ == "__main__":
    sys.exit(main())
