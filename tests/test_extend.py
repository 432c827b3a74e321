"""docs/extend.md: each file of the page, in a folder of its own, trains by the command that stands below it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ridgeline.entry_points import ROOT

PAGE = (ROOT / "docs" / "extend.md").read_text()
SECTIONS = dict(section.split("\n", maxsplit=1) for section in PAGE.split("\n## ")[1:])
KINDS = (
    "A network",
    "A loss",
    "A data source",
    "A regularizer",
    "A callback",
    "An optimizer",
    "A sampler, or a pruner",
)


def test_the_page_has_each_kind_of_thing() -> None:
    assert tuple(SECTIONS) == KINDS


@pytest.mark.verify
@pytest.mark.parametrize("kind", KINDS)
def test_its_file_trains_by_its_command(kind: str, tmp_path: Path) -> None:
    file, command = re.findall(r"^```\w+\n(.*?)^```", SECTIONS[kind], re.MULTILINE | re.DOTALL)
    (tmp_path / "mine.py").write_text(file)
    command = command.replace("python pipelines", f"{sys.executable} {ROOT}/pipelines")
    environment = {**os.environ, "RIDGELINE_RUNS": str(tmp_path / "runs")}
    ended = subprocess.run(
        ["bash", "-euc", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^Weights of epoch|^Study .* complete, 0 pruned, 0 failed", ended.stdout, re.MULTILINE)
