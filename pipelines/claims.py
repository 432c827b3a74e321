"""What is taught about regularization, put to the test: networks for each claim over seeds, as one page with pictures.

python pipelines/claims.py
python pipelines/claims.py claims.seeds=3 claims.out=docs/claims.md
"""

from collections.abc import Sequence

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ridgeline.command_line.commands import command
from ridgeline.command_line.composed import as_typed
from ridgeline.command_line.outputs import require_writable
from ridgeline.config import Config
from ridgeline.entry_points import checked, enter_without_trial, refuse, require_overrides_of


def claims(cfg: DictConfig) -> None:
    require_overrides_of("claims", "runs", "tracking", "trainer.accelerator")
    config = checked(cfg)
    require_writable(config.claims.out, "claims.out", images=True)

    print(f"Putting the claims to the test, {config.claims.seeds} seeds of each network", flush=True)

    from ridgeline.evaluation.fits import FitsFailed
    from ridgeline.tracking import TrackingError
    from ridgeline_recipes.claims.running import run  # torch and more, which a mistake need not wait for

    given = as_typed(HydraConfig.get().overrides.task)
    shown = [override for override in given if not override.startswith("runs=")]

    def configured(overrides: Sequence[str]) -> Config:
        return checked(compose("config", overrides=[*given, *overrides]))

    try:
        print(run(config, configured, command("claims", *shown, where="project")))
    except FitsFailed as failed:
        refuse(str(failed), code=1)
    except TrackingError as error:
        refuse(f"The page is written, but MLflow has not taken it: {error}", code=1)


if __name__ == "__main__":
    enter_without_trial(claims)
