"""The network by hand, in NumPy, beside its Lightning twin: the same points, initial weights and dropout masks.

python pipelines/by_hand.py experiment=by_hand/baseline
python pipelines/by_hand.py experiment=by_hand/dropout network.hidden=[50,10] regularization.dropout=[0.5,0.2]
"""

from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig

from ridgeline.entry_points import checked, enter_without_trial, refuse, require_overrides_of
from ridgeline_recipes.by_hand import limits


def by_hand(cfg: DictConfig) -> None:
    read = ("data", "network", "loss", "regularization", "augmentation", "optimizer", "lr_schedule", "callbacks")
    require_overrides_of(*read, "trainer", "tracking", "metric", "seed", "runs", "experiment")
    config = checked(cfg)
    limits.check(config)

    from ridgeline.stack.records import TrialFailed
    from ridgeline.trial.requirements import check
    from ridgeline_recipes.by_hand.twin import compare  # torch and more, which a mistake need not wait for

    check(config)
    try:
        print(compare(config, Path(config.runs) / "jobs" / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"))
    except TrialFailed as failed:
        refuse(f"The training failed: {failed}.", code=1)


if __name__ == "__main__":
    enter_without_trial(by_hand)
