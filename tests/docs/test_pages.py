"""The pages: short where they should be, linked to what exists, and built without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_links_and_pictures_lead_to_files(pages):
    seen = 0
    for page in (*pages, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"):
        inline = [child for token in MarkdownIt().parse(page.read_text()) for child in token.children or ()]
        for target in (str(t.attrs.get("href") or t.attrs.get("src") or "") for t in inline):
            if target and not re.match(r"https?:|#", target):
                assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"
                seen += 1
    assert seen > 40


def test_source_files_that_the_pages_name_exist(pages):
    named = {name for page in pages for name in re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", page.read_text())}
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_page_is_in_the_table_of_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    assert {p.stem for p in (ROOT / "docs").glob("*.md")} - {"index"} == set(
        re.findall(r"^(\w+)$", index, re.MULTILINE)
    )


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(tmp_path / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "html" / "api.html").is_file()
