"""What the README and the pages in docs/ point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ridgeline.entry_points import ROOT

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PIPELINE = re.compile(r"\bpipelines/\w+\.py\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pipelines_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    links = [link for link in LINK.findall(text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [script for script in PIPELINE.findall(text) if not (ROOT / script).exists()] == []


def test_the_readme_begins_with_what_one_gets() -> None:
    """The verdict's sentence, then the report's picture, then the two commands, then eight."""
    text = (ROOT / "README.md").read_text()
    places = [
        text.index(part) for part in ("Regularization helps", "images/report.png", "make sweep", "## Eight commands")
    ]
    assert places == sorted(places)
    eight = text.partition("## Eight commands")[2].split("```")[1].strip().splitlines()
    assert len(eight) == 8
