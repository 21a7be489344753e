"""A user's own class by `path/to/file.py:ClassName`. The file is run: name only files you trust."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

from latency_tables.errors import HwnasError

T = TypeVar("T")


def is_own(text: str) -> bool:
    """Whether `text` names a file and a class, not something that ships."""
    return ":" in text


def make_own(text: str, base: type[T], what: str, **settings: Any) -> T:
    """An object of the subclass of `base` that `file.py:ClassName` names, made with `settings`.

    `what` is its noun in messages, e.g. "space". What the file prints goes to standard error. Raises `HwnasError` in
    one line when there is no such file or class, and for anything that either raises, `sys.exit` included.
    """
    file, _, name = text.rpartition(":")
    path = Path(file)
    spec = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise HwnasError(f"{what} {text!r}: {file} is not a Python file; write path/to/file.py:ClassName")
    module = importlib.util.module_from_spec(spec)
    with _guarded(f"{what} {text!r}: {file} does not run"):
        sys.modules[spec.name] = module  # a dataclass looks its own module up
        try:
            spec.loader.exec_module(module)
        finally:
            sys.modules.pop(spec.name, None)
    kind = getattr(module, name, None)
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise HwnasError(f"{what} {text!r}: {file} has no {base.__name__} called {name}")
    given = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    with _guarded(f"{what} {text!r}: {kind.__name__}({given}) fails"):
        return kind(**settings)


@contextmanager
def _guarded(complaint: str) -> Iterator[None]:
    try:
        with redirect_stdout(sys.stderr):
            yield
    except HwnasError:
        raise
    except (Exception, SystemExit) as e:  # whatever the user's own code does
        raise HwnasError(f"{complaint}: {' '.join(f'{type(e).__name__}: {e}'.split())}") from e
