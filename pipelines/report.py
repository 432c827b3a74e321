"""Draw a study as one HTML page that opens from disk, and log it to the study's MLflow run.

python pipelines/report.py study=NAME
python pipelines/report.py study=results/search.json report=results/report.html
"""

from omegaconf import DictConfig

from ridgeline.checking import require
from ridgeline.command_line.outputs import require_writable
from ridgeline.command_line.paths import DATA
from ridgeline.entry_points import checked, enter_without_trial, refuse, require_overrides_of


def report(cfg: DictConfig) -> None:
    require_overrides_of(
        *("study", "report", "runs", "import_path", *DATA, "search.storage"),
        *("tracking.uri", "tracking.allowed_targets"),
    )
    config = checked(cfg)
    require(config.study is not None, "study=NAME is given", "study", "null")
    require_writable(config.report, "report")

    from ridgeline.evaluation.stored import find_study  # Optuna, which --help need not wait for

    find_study(config, str(config.study))

    from ridgeline.evaluation.story import write_report  # torch and more, which a mistake need not wait for
    from ridgeline.tracking import TrackingError

    try:
        for path in write_report(config):
            print(f"written: {path}")
    except OSError as error:
        refuse(f"The page could not be made: {error}", code=1)
    except TrackingError as error:
        refuse(f"The page is drawn, but MLflow has not taken it: {error}", code=1)


if __name__ == "__main__":
    enter_without_trial(report, of_study=True)
