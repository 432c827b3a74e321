"""Does regularization help? The study's best configuration against the plain network, over seeds, on the test part.

python pipelines/confirm.py study=NAME
python pipelines/confirm.py study=results/search.json confirm.seeds=50
"""

from omegaconf import DictConfig

from ridgeline.checking import require
from ridgeline.doors import checked, enter_without_trial, refuse, require_overrides_of


def confirm(cfg: DictConfig) -> None:
    require_overrides_of("study", "confirm", "runs", "tracking.uri", "tracking.allowed_targets", "search.storage")
    config = checked(cfg)
    require(config.study is not None, "study=NAME is given", "study", "null")

    from ridgeline.data.test_split import confirming, open_test_split  # torch, which a mistake need not wait for
    from ridgeline.evidence.confirming import confirm_study
    from ridgeline.evidence.fits import FitsFailed
    from ridgeline.evidence.stored import open_study

    stored = open_study(config, str(config.study))
    try:
        with confirming():
            print(confirm_study(stored, config.confirm, open_test_split))
    except FitsFailed as failed:
        refuse(str(failed), code=1)


if __name__ == "__main__":
    enter_without_trial(confirm)
