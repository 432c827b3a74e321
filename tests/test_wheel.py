"""`pip install ridgeline`: a wheel goes into an empty environment, and from a CSV file to a verdict and predictions."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ridgeline.command_line.places import ROOT
from ridgeline.quoting import setting
from ridgeline.search.identity import code_hash

pytestmark = pytest.mark.verify

LOOK = """
import json, hydra_plugins.ridgeline.sweeper as plugin, ridgeline
from ridgeline.search.identity import code_hash
print(json.dumps({"code": code_hash(), "files": [ridgeline.__file__, plugin.__file__]}))
"""


def churn(n: int) -> str:
    """A CSV file of customers: the fewer calls, and the cheaper the plan, the likelier they leave."""
    lines = ["id,plan,calls,churn"]
    for i in range(n):
        plan, calls = ("basic", "plus", "pro")[i % 3], (7 * i) % 40
        lines.append(f"{i},{plan},{calls or ''},{'yes' if calls + 5 * (i % 3) < 22 else 'no'}")
    return "\n".join(lines) + "\n"


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files alone, as a checkout of one commit: a build leaves files behind."""
    folder = tmp_path_factory.mktemp("sources")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("needs a git checkout, whose files are listed")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=x")
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), "."]
    subprocess.run([sys.executable, "-m", "pip", *build], cwd=sources, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel; the packages that it needs are this environment's."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    locked = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "locked.pth").write_text("\n".join(locked))  # a path in it brings no .pth of its own: not the checkout
    return folder / "bin"


def test_a_wheel_has_all_that_the_project_runs_on(sources: Path, wheel: Path) -> None:
    """Each file below src/, conf/ and pipelines/, with the same bytes; and the revision that it was built from."""
    with zipfile.ZipFile(wheel) as built:
        for folder, place in (("src", ""), ("conf", "ridgeline_app/conf/"), ("pipelines", "ridgeline_app/pipelines/")):
            for name in git(sources, "ls-files", folder).splitlines():
                inside = place + name.partition("/")[2]
                assert built.read(inside) == (sources / name).read_bytes(), inside
        revision = json.loads(built.read("ridgeline_app/revision.json"))
    assert revision == {"commit": git(sources, "rev-parse", "HEAD"), "dirty": False}


def test_an_installed_package_goes_from_a_csv_to_a_verdict_and_predictions(scripts: Path, tmp_path: Path) -> None:
    """From any folder, without the checkout. What it prints can be pasted elsewhere."""
    home, elsewhere = tmp_path / "a b's", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    (home / "churn.csv").write_text(churn(240))
    (elsewhere / "new.csv").write_text(churn(30))
    environment = {"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(tmp_path)}

    def ran(line: str, folder: Path) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    found = json.loads(ran(shlex.join(["python", "-c", LOOK]), elsewhere))
    assert found["code"] == code_hash()  # so that a study has the same name in a checkout
    assert all(Path(path).is_relative_to(scripts.parent) for path in found["files"])

    table = "data=table data.path=churn.csv data.target=churn data.drop=[id]"
    small = "search.n_trials=4 trainer.max_epochs=20 search.study_name=s"
    search = ran(f"ridgeline train -m search=bayes {table} {small}", home)
    printed = dict(re.findall(r"(?m)^(Train the best again|Does it help\?|As a page):? +(.*)$", search))
    assert all(line.startswith("ridgeline ") for line in printed.values())

    ran(printed["Does it help?"] + " confirm.seeds=2 confirm.top=1 confirm.selection_seeds=2", elsewhere)
    ran(printed["As a page"], elsewhere)
    assert (home / "mlruns" / "studies" / "s" / "report.html").is_file()
    assert [path.name for path in elsewhere.iterdir()] == ["new.csv"]

    runs = shlex.quote(setting("runs", home / "mlruns"))
    asked = f"model=ridgeline-churn@champion data.path=new.csv out=predictions.csv keep=id {runs}"
    ran(f"ridgeline predict {asked}", elsewhere)
    with (elsewhere / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    given = [line.split(",") for line in churn(30).splitlines()[1:]]
    assert [row["id"] for row in rows] == [i for i, *_ in given]
    right = sum(row["prediction"] == target for row, (*_, target) in zip(rows, given, strict=True))
    assert right >= 24  # of 30; a guess has 17
