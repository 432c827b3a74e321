"""Draw a study as one HTML page that opens from disk, and log it to the study's MLflow run.

python pipelines/report.py study=NAME
python pipelines/report.py study=results/search.json report=results/report.html
"""

import sys

from omegaconf import DictConfig

from ridgeline.doors import checked, enter, refuse

WITHOUT_A_JOB_FOLDER = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=stdout"]


def report(cfg: DictConfig) -> None:
    from ridgeline.evidence.writing import write_report  # torch and more, which --help need not wait for
    from ridgeline.tracking import TrackingError

    try:
        for path in write_report(checked(cfg)):
            print(f"written: {path}")
    except TrackingError as error:
        refuse(f"The page could not be logged: {error}", code=1)


if __name__ == "__main__":
    sys.argv += WITHOUT_A_JOB_FOLDER  # nothing is trained
    enter(report)
