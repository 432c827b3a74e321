"""Draw a study as one HTML page that opens from disk, and log it to the study's MLflow run.

python pipelines/report.py study=NAME
python pipelines/report.py study=results/search.json report=results/report.html
"""

import sys

from omegaconf import DictConfig

from ridgeline.checking import ConfigError
from ridgeline.doors import checked, enter, refuse

# Nothing is trained: no job folder, and no check of the data and the store that a training would need.
NO_JOB = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=stdout", "~hydra.callbacks.refuse"]


def report(cfg: DictConfig) -> None:
    from ridgeline.evidence.writing import write_report  # torch and more, which --help need not wait for
    from ridgeline.tracking import TrackingError

    try:
        for path in write_report(checked(cfg)):
            print(f"written: {path}")
    except ConfigError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"The page could not be made: {error}", code=1)
    except TrackingError as error:
        refuse(f"The page is drawn, but MLflow has not taken it: {error}", code=1)


if __name__ == "__main__":
    sys.argv += NO_JOB
    enter(report)
