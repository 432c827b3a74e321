"""Where the folder of a trial is; and its ordinary content, with .hydra/, for trials that Hydra did not run itself.

Composing and running each through Hydra takes 200 ms and more; writing what it would have written takes one or two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from ridgeline.search.trees import Composed

_BLANKS = {name: f"<{name} of the job>" for name in ("num", "id", "dirname", "overrides", "folder", "choices")}
"""hydra.yaml is written out once for a study; these stand where the values of each job are put in."""


def job_folder(number: int) -> str:
    """The folder of a trial's job, relative to the study's folder."""
    return f"jobs/{number}"


class JobFolders:
    """Makes the job folders of one study."""

    def __init__(self, master: DictConfig, folder: Path) -> None:
        self._folder = folder
        hydra: Any = OmegaConf.to_container(master.hydra, resolve=False, enum_to_str=True)
        hydra["job"] |= {"num": _BLANKS["num"], "id": _BLANKS["id"], "override_dirname": _BLANKS["dirname"]}
        hydra["overrides"]["task"] = _BLANKS["overrides"]
        hydra["runtime"] |= {"output_dir": _BLANKS["folder"], "choices": _BLANKS["choices"]}
        self._hydra = _dump({"hydra": hydra})

    def write(self, number: int, composed: Composed, overrides: Sequence[str]) -> Path:
        """Make the folder of a trial: .hydra/config.yaml, overrides.yaml and hydra.yaml."""
        folder = self._folder / job_folder(number)
        (folder / ".hydra").mkdir(parents=True, exist_ok=True)
        own = {
            "num": number,
            "id": str(number),
            "dirname": ",".join(overrides),
            "overrides": list(overrides),
            "folder": str(folder),
            "choices": composed.choices,
        }
        hydra = self._hydra
        for name, blank in _BLANKS.items():
            hydra = hydra.replace(blank, json.dumps(own[name], ensure_ascii=False))  # JSON is YAML on one line
        contents = {"config": _dump(composed.tree), "overrides": _dump(list(overrides)), "hydra": hydra}
        for name, text in contents.items():
            (folder / ".hydra" / f"{name}.yaml").write_text(text)
        return folder


def _dump(content: Any) -> str:
    return yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, width=1000)
