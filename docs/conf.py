"""Sphinx: Markdown by MyST, and the API from docstrings. `make docs` builds it offline; every warning is an error."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = "hwnas"
author = "The hwnas contributors"
copyright = author
version = release = version_of("hwnas")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["tables"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "hwnas"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"


def setup(app):
    """Docstrings are plain text: an asterisk in one is no emphasis."""

    def as_plain_text(app, what, name, object_, options, lines):
        lines[:] = [line.replace("*", r"\*") for line in lines]

    app.connect("autodoc-process-docstring", as_plain_text)
