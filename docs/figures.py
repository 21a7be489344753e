"""Writes the tables of figures into README.md and docs/*.md, from benchmarks/results/*.json: `python docs/figures.py`.

A page says `<!-- table: NAME -->` ... `<!-- end of table -->`; what stands between comes from the Jinja template
docs/tables/NAME.md. There, `figure(FILE, NAME, digits)` is a number of benchmarks/results/FILE.json, rounded.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results"
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def figure(file: str, name: str, digits: int = 0) -> str:
    """The figure `name` of a result file, rounded to `digits`, thousands separated. Raises KeyError when absent."""
    return f"{_figures(file)[name]:,.{digits}f}"


def signed(file: str, name: str, digits: int = 0) -> str:
    """The same with its sign."""
    return f"{_figures(file)[name]:+,.{digits}f}"


def small(file: str, name: str) -> str:
    """The same for very small numbers: two significant digits, as 3.8e-06."""
    return f"{_figures(file)[name]:.1e}"


def mean(file: str, pattern: str, digits: int = 0) -> str:
    """The mean of all figures whose name matches `pattern` as a whole."""
    found = _matching(file, pattern)
    return f"{sum(found) / len(found):,.{digits}f}"


def lowest(file: str, pattern: str, digits: int = 0) -> str:
    """The lowest of all figures whose name matches `pattern` as a whole."""
    return f"{min(_matching(file, pattern)):,.{digits}f}"


def total(file: str, pattern: str) -> str:
    """The sum of all figures whose name matches `pattern` as a whole."""
    return f"{sum(_matching(file, pattern)):,.0f}"


def _figures(file: str) -> dict[str, float]:
    document: dict[str, dict[str, float]] = json.loads((RESULTS / f"{file}.json").read_text())
    return document["figures"]


def _matching(file: str, pattern: str) -> list[float]:
    found = [value for name, value in _figures(file).items() if re.fullmatch(pattern, name)]
    if not found:
        raise KeyError(f"{file}.json has no figure like {pattern}")
    return found


def details_mean(file: str, group: str, name: str, digits: int = 0) -> str:
    """The mean of `name` over all records that a result file keeps under details."""
    records = json.loads((RESULTS / f"{file}.json").read_text())["details"][group]
    values = [v for record in records for v in (record[name] if isinstance(record[name], list) else [record[name]])]
    return f"{sum(values) / len(values):,.{digits}f}"


def details_number(file: str, group: str, name: str, digits: int = 0) -> str:
    """One number that a result file keeps under details."""
    value: float = json.loads((RESULTS / f"{file}.json").read_text())["details"][group][name]
    return f"{value:,.{digits}f}"


def with_tables(page: str) -> str:
    """The text of a page with every table as the results are now."""
    templates = Environment(loader=FileSystemLoader(DOCS / "tables"), undefined=StrictUndefined, trim_blocks=True)
    helpers = (figure, signed, small, mean, lowest, total, details_mean, details_number)
    templates.globals.update({helper.__name__: helper for helper in helpers})
    return _TABLE.sub(lambda m: f"{m[1]}{templates.get_template(f'{m[2]}.md').render().strip()}\n{m[3]}", page)


def main() -> None:
    """Rewrite the pages that change."""
    for page in PAGES:
        before = page.read_text()
        if (after := with_tables(before)) != before:
            page.write_text(after)
            print(f"{page.relative_to(DOCS.parent)}: tables written")


if __name__ == "__main__":
    main()
