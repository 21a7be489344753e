"""The command `hwnas`: every error is one line and exit code 2, Ctrl-C is 130, a FAIL of the device is 1."""

from __future__ import annotations

import sys

import click
import typer

from hwnas.cli import tables, verbs
from hwnas.cli.options import with_settings
from latency_tables import HwnasError

_EXTRAS = {
    **dict.fromkeys(
        ("torch", "onnx", "onnxscript", "safetensors", "scipy", "pymoo", "PIL", "matplotlib", "jinja2"), "search"
    ),
    "onnxruntime": "onnxruntime",
}


def build_app() -> typer.Typer:
    """All verbs."""
    app = typer.Typer(
        help="Hardware-aware neural architecture search with measured latency tables.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
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
    app.add_typer(tables.app, name="table")
    return app


def _complain(message: str) -> int:
    print(f"hwnas: {' '.join(message.split())}", file=sys.stderr)
    return 2


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        code = build_app()(arguments, standalone_mode=False)
        return int(code or 0)
    except click.exceptions.Abort:
        return _stopped()
    except KeyboardInterrupt:
        return _stopped()
    except click.UsageError as e:
        path = e.ctx.command_path if e.ctx else "hwnas"
        return _complain(f"{e.format_message()} (see `{path} --help`)")
    except click.ClickException as e:
        return _complain(e.format_message())
    except HwnasError as e:
        return _complain(str(e))
    except ModuleNotFoundError as e:
        package = (e.name or "").split(".")[0]
        if package not in _EXTRAS:
            raise
        return _complain(f"this needs {package}: pip install 'hwnas[{_EXTRAS[package]}]'")


def _stopped() -> int:
    print("\nhwnas: stopped; nothing is lost, go on with the same command and --resume", file=sys.stderr)
    return 130


if __name__ == "__main__":
    sys.exit(main())
