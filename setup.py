"""What pyproject.toml cannot say: a wheel takes conf/ and pipelines/ along, as they lie in the project.

They come into `ridgeline_app/`, beside the packages, with the git revision that the wheel was built from.
`ridgeline.command_line.places` finds them there, or in the project itself where the package is an editable install.
"""

import json
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PROJECT = Path(__file__).parent.resolve()


class BuildWithApp(build_py):
    """Copies the package, then what belongs to it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        app = Path(self.build_lib) / "ridgeline_app"
        shutil.rmtree(app, ignore_errors=True)  # of an earlier build
        for folder in ("conf", "pipelines"):
            shutil.copytree(PROJECT / folder, app / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        if (revision := _revision()) is not None:
            (app / "revision.json").write_text(json.dumps(revision) + "\n", encoding="utf-8")


def _revision() -> dict[str, object] | None:
    """The commit of this checkout, and whether files differ from it. None where the sources are no checkout."""
    if not (PROJECT / ".git").exists():  # a .git further up is another project's
        return None
    try:
        commit, changes = (_git(*command) for command in (["rev-parse", "HEAD"], ["status", "--porcelain"]))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": changes != ""}


def _git(*command: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(PROJECT), *command], capture_output=True, text=True, timeout=60, check=True
    )
    return answer.stdout.strip()


setup(cmdclass={"build_py": BuildWithApp})
