"""Does regularization help? The study's best configuration against the baseline, over seeds, on the test split.

python pipelines/confirm.py study=NAME
python pipelines/confirm.py study=results/search.json confirm.seeds=50
python pipelines/confirm.py study=NAME confirm.leave_one_out=true
"""

from functools import partial

from omegaconf import DictConfig

from ridgeline.checking import require
from ridgeline.command_line.outputs import require_writable
from ridgeline.command_line.paths import DATA
from ridgeline.entry_points import checked, enter_without_trial, refuse, require_overrides_of


def confirm(cfg: DictConfig) -> None:
    require_overrides_of(
        *("study", "confirm", "runs", "import_path", *DATA, "search.storage"),
        *("tracking.uri", "tracking.allowed_targets"),
    )
    config = checked(cfg)
    require(config.study is not None, "study=NAME is given", "study", "null")
    require_writable(config.confirm.summary, "confirm.summary", csv=True)

    from ridgeline.data import require_test_split
    from ridgeline.evaluation.stored import CONFIRMED, open_study  # Optuna, which --help need not wait for

    stored, asked = open_study(config, str(config.study)), config.confirm
    require_test_split(stored.config.data)  # else what follows promises what cannot be
    chosen = f"its best {asked.top} train again with {asked.selection_seeds} new seeds each"
    tested = f"the winner with {asked.seeds}, and so the same network without what regularizes it, for the test split"
    if asked.ensemble:
        tested += f", and the members of two ensembles, the study's and the baseline's, with {asked.seeds} each too"
    if asked.leave_one_out:
        tested += ", and so without each of its regularizers and with each alone"
    print(f"Confirming {stored.name}: {chosen}, then {tested}; into {stored.folder / CONFIRMED}", flush=True)

    from ridgeline.data.test_split import confirming, open_test_split  # torch, which a mistake need not wait for
    from ridgeline.evaluation.confirm import confirm_study
    from ridgeline.evaluation.fits import FitsFailed
    from ridgeline.tracking import TrackingError

    try:
        with confirming():
            confirm_study(stored, config.confirm, open_test_split, partial(print, flush=True))
    except FitsFailed as failed:
        refuse(str(failed), code=1)
    except OSError as error:
        refuse(f"What confirm found cannot be written: {error}.", code=1)
    except TrackingError as error:
        again = "The same command brings it there, and opens the test split no second time for the same networks"
        refuse(f"The verdict is stored, but MLflow has not taken it: {error} {again}.", code=1)


if __name__ == "__main__":
    enter_without_trial(confirm, of_study=True)
