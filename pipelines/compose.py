"""Write params.yaml, what the stages of dvc.yaml run: conf/pipeline.yaml composed. `dvc exp run` has composed its own.

python pipelines/compose.py
"""

import os
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ridgeline.command_line.composed import plain
from ridgeline.entry_points import checked, enter_without_trial


def compose(cfg: DictConfig) -> None:
    path = Path("params.yaml")
    if "DVC_EXP_NAME" in os.environ:
        print(f"{path} is what the experiment {os.environ['DVC_EXP_NAME']} composed.")
        return
    checked(cfg)
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(plain(cfg))))  # without secrets: DVC commits it
    print(f"written: {path}")


if __name__ == "__main__":
    enter_without_trial(compose)
