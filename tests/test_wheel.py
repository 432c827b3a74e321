"""`pip install ridgeline`: a wheel is built, installed into an empty environment, and goes from data to a verdict."""

from __future__ import annotations

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
from ridgeline.search.identity import code_hash

pytestmark = pytest.mark.verify

USE = """
import json, sys
import mlflow, numpy, ridgeline
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/ridgeline-wine@champion")
from ridgeline.search.identity import code_hash
import hydra_plugins.ridgeline.sweeper as plugin
found = {"shape": model.predict(numpy.zeros((2, 13), numpy.float32)).shape, "code": code_hash()}
print(json.dumps(found | {"files": [ridgeline.__file__, plugin.__file__]}))
"""


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


def test_an_installed_package_goes_from_data_to_a_verdict(scripts: Path, tmp_path: Path) -> None:
    """From any folder, without the checkout. What it prints can be pasted elsewhere."""
    home, elsewhere = tmp_path / "a b's", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    environment = {"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(tmp_path)}

    def ran(line: str, folder: Path) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    small = "data=wine trainer.max_epochs=3"
    search = ran(f"ridgeline train -m search=bayes search.n_trials=4 {small} search.study_name=s", home)
    printed = dict(re.findall(r"(?m)^(Train the best again|Does it help\?|As a page):? +(.*)$", search))
    assert all(line.startswith("ridgeline ") for line in printed.values())
    ran(printed["Does it help?"] + " confirm.seeds=2 confirm.top=1 confirm.selection_seeds=2", elsewhere)
    ran(printed["As a page"], elsewhere)
    assert (home / "mlruns" / "studies" / "s" / "report.html").is_file()
    assert list(elsewhere.iterdir()) == []

    store = f"sqlite:///{home}/mlruns/mlflow.db"
    found = json.loads(ran(shlex.join(["python", "-c", USE, store]), elsewhere).splitlines()[-1])
    assert found["shape"] == [2, 3]
    assert found["code"] == code_hash()  # so that a study has the same name in a checkout
    assert all(Path(path).is_relative_to(scripts.parent) for path in found["files"])
