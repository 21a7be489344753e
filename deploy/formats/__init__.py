"""File formats that a network ships in, each with the runtime that opens it."""

from deploy.formats._base import Built, Files, Format
from deploy.formats.by_name import FORMATS, make_format

__all__ = ["FORMATS", "Built", "Files", "Format", "make_format"]
