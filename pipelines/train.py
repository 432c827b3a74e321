"""One trial, or with -m a study of many. `--help` shows the groups and examples."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ridgeline.doors import checked, enter, one_trial


@one_trial
def train(cfg: DictConfig) -> dict[str, Any]:
    from ridgeline.trials import closing_words, run_trial

    config = checked(cfg)
    outcome = run_trial(config, Path(HydraConfig.get().runtime.output_dir))
    if config.trial.study is None:
        print(closing_words(config, outcome))
    return dict(outcome)


if __name__ == "__main__":
    enter(train)
