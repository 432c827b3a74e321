"""What docs/coming_from.md and docs/lightning.md say of commands is so: each is composed and checked, some are run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode

from ridgeline.checking import ConfigError
from ridgeline.command_line import own_conf
from ridgeline.command_line.arguments import check_arguments, read_arguments, with_targets
from ridgeline.command_line.composed import as_typed
from ridgeline.config import parse
from ridgeline.entry_points import ROOT, check_single
from ridgeline.search import study
from ridgeline.search.optuna_plugin import with_its_search
from ridgeline.search.plan import make_plan
from sweeping import results

DOCS = ROOT / "docs"
TEMPLATE = Path(__file__).parent / "template_project"
PAGES = {name: (DOCS / f"{name}.md").read_text() for name in ("coming_from", "lightning")}
MINE = re.search(r"```python\n(import torch.*?)```", PAGES["lightning"], re.DOTALL)
ROW = re.compile(r"^\| .*? \| `((?!ridgeline)[^`]+)` \| (.*?) \|$", re.MULTILINE)
ROWS = dict(ROW.findall(PAGES["coming_from"]))
"""The rows of the template's table: our line, and what comes of it."""
TYPED = [line for page in PAGES.values() for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
         for line in block.splitlines()]  # fmt: skip
LINES = [line.strip().removeprefix("ridgeline train ") for line in TYPED if "ridgeline train" in line]
LINES += [f"--config-dir=configs {line}" for line, says in ROWS.items() if "FILE" not in line]
REFUSED = {
    "logger=wandb": "`logger` has no effect here, but got logger=wandb: MLflow records each run",
    "tags=[dev]": "`tags` has no effect here",
}
GPU = re.compile(r"trainer=(gpu|ddp)$")
QUICK = ("trainer=gpu", "logger=wandb")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's project, as its user has it; mine.py of docs/lightning.md beside it."""
    folder = tmp_path_factory.mktemp("mine") / "project"
    shutil.copytree(TEMPLATE, folder)
    assert MINE is not None
    (folder / "mine.py").write_text(MINE[1])
    return folder


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory is the project, whose configs/ a command may name."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("RIDGELINE_RUNS", str(project.parent / "runs"))
    monkeypatch.setattr(own_conf, "_entered", True)
    monkeypatch.setattr(own_conf, "_named", None)
    yield project
    GlobalHydra.instance().clear()


def composed(line: str) -> None:
    """All that a command checks before it writes anything."""
    words = shlex.split(line)
    arguments = read_arguments(words)
    check_arguments(arguments)
    mode = RunMode.MULTIRUN if arguments.multirun else RunMode.RUN
    with initialize_config_dir(str(own_conf.enter(arguments.before)), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        overrides = [
            *with_targets(arguments.overrides, [arguments.before]),
            "hydra/job_logging=none",
            "hydra/hydra_logging=none",
        ]
        master = hydra.compose_config("config", overrides, mode, with_log_configuration=False)
        if mode == RunMode.RUN:
            check_single(master)
            return
        context = type("Context", (), {"config_loader": hydra.config_loader})()
        typed = as_typed(master.hydra.overrides.task)
        master, typed = with_its_search(hydra.config_loader, master, typed)
        make_plan(context, master, typed, study.written_out(master, typed))


def checked(line: str) -> None:
    refusal = next((says for word, says in REFUSED.items() if word in line), None)
    if refusal is None and not GPU.search(line):
        composed(line)
        return
    with pytest.raises(ConfigError) as refused:
        composed(line)
    assert (refusal or "trainer.accelerator") in str(refused.value)
    assert "\n" not in str(refused.value)


def is_quick(line: str) -> bool:
    return any(word in line for word in QUICK)


def test_the_pages_have_lines_of_each_kind() -> None:
    assert len(LINES) >= 20
    assert {line for line in ROWS if "logger" in line or "tags" in line} == {
        line for line, says in ROWS.items() if says.startswith("refused")
    }
    assert Plugins.instance().discover(SearchPathPlugin)


@pytest.mark.parametrize("line", [line for line in LINES if is_quick(line)])
def test_a_line_of_another_tools_user_is_read_as_the_page_says(line: str, here: Path) -> None:
    checked(line)


def test_a_module_that_has_the_name_of_one_of_pythons_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "wave.py").write_text("class Lit: ...\n")
    tree = {"model": {"_target_": "wave.Lit"}, "data": {"_target_": "wave.Data"}, "import_path": str(tmp_path)}
    with pytest.raises(
        ConfigError, match=rf"`wave is no other module than {tmp_path}/wave.py \(rename it\)` must hold"
    ):
        parse(tree)


@pytest.mark.verify
@pytest.mark.parametrize("line", [line for line in LINES if not is_quick(line)])
def test_every_line_of_another_tools_user_is_read_as_the_page_says(line: str, here: Path) -> None:
    checked(line)


@pytest.mark.verify
def test_the_templates_own_search_runs_and_goes_on_with_its_trials(project: Path) -> None:
    """Its command, with fewer trials of fewer epochs, and fewer sizes."""
    runs = project.parent / "study"
    line = (
        "--config-dir=configs hparams_search=mnist_optuna experiment=example trainer.max_epochs=1 trainer.min_epochs=1"
    )
    line += " data.batch_size=64,128 model.net.lin1_size=32 model.net.lin2_size=64 model.net.lin3_size=32"

    def trained(n_trials: int) -> list[dict[str, str]]:
        script = str(ROOT / "pipelines" / "train.py")
        more = [f"search.n_trials={n_trials}", "search.study_name=mine", f"runs={runs}", "tracking.pictures=false"]
        done = subprocess.run(
            [sys.executable, script, "-m", *line.split(), *more], cwd=project, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert "Not used of what your files say: tags" in done.stdout
        return results(runs / "studies" / "mine")

    begun = trained(2)
    assert len({row["value"] for row in begun}) == 2
    assert trained(3)[:2] == begun
    assert not list(project.rglob("*.ckpt"))  # a trial writes into its job folder
