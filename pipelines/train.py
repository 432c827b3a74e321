"""One trial, or with -m a study of many. `--help` shows the groups and examples."""

from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ridgeline.command_line.commands import start_again
from ridgeline.config import Config, ConfigError
from ridgeline.entry_points import checked, enter, one_trial, refuse


@one_trial
def train(cfg: DictConfig) -> dict[str, Any]:
    from ridgeline.stack.records import TrialFailed
    from ridgeline.tracking import TrackingError
    from ridgeline.trial.messages import closing_words
    from ridgeline.trial.run import run_trial

    config, job_dir = checked(cfg), Path(HydraConfig.get().runtime.output_dir)
    if config.debug is not None:
        say(config)
    if config.trial.study is not None:
        return dict(run_trial(config, job_dir))
    try:
        outcome = run_trial(config, job_dir)
    except TrialFailed as failed:
        refuse(f"The training failed: {failed}. Its curve is in {job_dir}.", code=1)
    except ConfigError as error:  # a store that takes no artifacts
        refuse(str(error))
    except (OSError, TrackingError) as error:  # a full disk; a store that went away
        refuse(f"The training ended: {' '.join(str(error).split())}", code=1)
    except (KeyboardInterrupt, SystemExit):  # Lightning turns Ctrl-C into exit(1)
        saved = job_dir / "last.ckpt"
        if not saved.exists():
            refuse("Interrupted.", code=130)
        command = start_again(HydraConfig.get(), config.runs, {"trainer.ckpt_path": saved})
        refuse(f"Interrupted. To go on: {command}", code=130)
    print(closing_words(config, outcome))
    if (unwritten := outcome.get("unwritten")) is not None:
        refuse(f"The training is done, but MLflow has not taken all of it: {unwritten}", code=1)
    return dict(outcome)


def say(config: Config) -> NoReturn:
    """What the check finds that `debug` names; exit code 1 where it fails."""
    from ridgeline.evaluation.debug import check

    finding = check(config)
    print(finding)
    raise SystemExit(0 if finding.passed else 1)


if __name__ == "__main__":
    enter(train)
