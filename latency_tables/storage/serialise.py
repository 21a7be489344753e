"""Plain JSON values back into dataclasses, each one checked against the type that its field declares.

What comes from a file may be cut, mixed up or written by something else; it is either sound or a ValueError.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def parse_json(content: bytes) -> Any:
    """The value of a JSON text; raises ValueError for anything else, however deeply nested."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def from_plain(kind: type[T], value: object) -> T:
    """A dataclass from the mapping that `asdict` made of it, perhaps through JSON; lists become tuples.

    A field may be left out when it has a default. Raises ValueError in one line that names the field when a value
    is of another type, a number is not finite or does not fit 64 bits, a text is not Unicode, or a field is unknown.
    """
    made: T = _read(kind, value, kind.__name__)
    return made


def _wrong(where: str, value: object) -> ValueError:
    try:
        shown = ascii(value)
    except (RecursionError, ValueError):  # nested too deeply, an integer of too many digits
        shown = type(value).__name__
    return ValueError(f"{where} is {shown if len(shown) <= 40 else shown[:40] + '...'}")


@cache
def _types(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _read_fields(kind, value, where)
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if NoneType in inner:
        return None if value is None else _read(next(i for i in inner if i is not NoneType), value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_read(k, v, where) for k, v in zip(kinds, value, strict=True))
    elif origin is Mapping and isinstance(value, Mapping):
        return {_read(inner[0], k, where): _read(inner[1], v, f"{where} {ascii(k)[:40]}") for k, v in value.items()}
    elif _is(origin, value):
        return value
    raise _wrong(where, value)


def _read_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(where, value)
    known = {field.name: field for field in fields(kind)}
    if unknown := [name for name in value if name not in known]:
        raise ValueError(f"{where} has an unknown field {ascii(unknown[0])[:40]}")
    for field in known.values():
        if field.name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{where} has no {field.name}")
    return kind(**{name: _read(_types(kind)[name], v, name) for name, v in value.items()})


def _is(kind: Any, value: Any) -> bool:
    """Whether a value is a bool, an int of 64 bits, a finite float (an int will do) or a text of whole characters."""
    if kind is float:
        return (type(value) is float and math.isfinite(value)) or _is(int, value)
    if kind is int:
        return type(value) is int and -(2**63) <= value < 2**63
    if kind is str:
        return isinstance(value, str) and (value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value))
    return kind is bool and isinstance(value, bool)
