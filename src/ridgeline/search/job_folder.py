"""The ordinary folder of a job, with its .hydra/, for trials that Hydra did not run itself.

Composing and running each through Hydra takes 200 ms and more; writing what it would have written takes a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from ridgeline.search.folder import job_folder


class JobFolders:
    """Those of one study."""

    def __init__(self, master: DictConfig, folder: Path) -> None:
        self._folder = folder
        hydra = OmegaConf.to_container(master.hydra, resolve=False, enum_to_str=True)
        assert isinstance(hydra, dict)
        self._hydra: dict[Any, Any] = hydra

    def write(self, number: int, tree: dict[str, Any], overrides: Sequence[str]) -> Path:
        """Make the folder of a trial: .hydra/config.yaml, overrides.yaml and hydra.yaml."""
        folder = self._folder / job_folder(number)
        (folder / ".hydra").mkdir(parents=True, exist_ok=True)
        hydra = {
            **self._hydra,
            "job": {**self._hydra["job"], "num": number, "id": str(number), "override_dirname": ",".join(overrides)},
            "overrides": {**self._hydra["overrides"], "task": list(overrides)},
            "runtime": {**self._hydra["runtime"], "output_dir": str(folder)},
        }
        contents = {"config": tree, "overrides": list(overrides), "hydra": {"hydra": hydra}}
        for name, content in contents.items():
            text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, width=1000)
            (folder / ".hydra" / f"{name}.yaml").write_text(text)
        return folder
