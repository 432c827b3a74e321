"""The case study: the choices of experiment=case_study/... over seeds, on validation and test, as one page.

python pipelines/case_study.py data.root=FOLDER
python pipelines/case_study.py data.root=FOLDER case_study.seeds=3 case_study.out=docs/case_study.md
"""

import subprocess
import sys
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ridgeline.checking import require
from ridgeline.command_line import commands
from ridgeline.command_line.composed import as_typed
from ridgeline.command_line.outputs import require_writable
from ridgeline.config import Config
from ridgeline.entry_points import checked, enter_without_trial, refuse, refuse_keys, run_other

BASELINE = "experiment=case_study/baseline"
"""What the command line is read with; the other variants differ from it."""


def case_study(cfg: DictConfig) -> None:
    given = [override for override in as_typed(HydraConfig.get().overrides.task) if override != BASELINE]
    refuse_keys(given, "experiment", "seed", "search", "study")
    for other in ("confirm", "claims", "report", "debug"):
        refuse_keys(given, other)
    config = checked(cfg)
    require(config.data.folds is None, "data.folds is null in the case study", "data.folds", config.data.folds)
    require_writable(config.case_study.out, "case_study.out", images=True)
    asked = config.case_study
    print(
        f"The case study: each variant with {asked.seeds} seeds, one of them searched in {asked.n_trials} trials",
        flush=True,
    )

    from ridgeline.data.test_split import confirming, open_test_split  # torch, which --help need not wait for
    from ridgeline.evaluation.fits import FitsFailed
    from ridgeline.tracking import TrackingError
    from ridgeline_recipes.case_study.running import run
    from ridgeline_recipes.case_study.variants import compose_all

    own = [override for override in given if not override.startswith("case_study.")]
    shown = ["data.root=FOLDER" if o.startswith("data.root=") else o for o in given if not o.startswith("runs=")]

    def variant(choice: str) -> Config:
        return checked(compose("config", overrides=[*given, f"experiment={choice}"]))

    def search(summary: Path) -> None:
        train = str(Path(__file__).with_name("train.py"))
        trials = config.case_study.n_trials
        study = ["search=bayes", f"search.n_trials={trials}", f"search.summary={summary}"]
        run_other(sys.executable, train, "-m", BASELINE, *own, *study)

    command = commands.command("case_study", *shown, where="project")
    try:
        with confirming():
            print(run(compose_all(variant), search, open_test_split, command))
    except FitsFailed as failed:
        refuse(str(failed), code=1)
    except TrackingError as error:
        refuse(f"The page is written, but MLflow has not taken it: {error}", code=1)
    except subprocess.CalledProcessError as ended:
        refuse("The search did not end.", code=ended.returncode)


if __name__ == "__main__":
    sys.argv.append(BASELINE)
    enter_without_trial(case_study)
