"""Load and verify the data set (MNIST is downloaded once), say what it is, and write results/data.json.

python pipelines/prepare.py
python pipelines/prepare.py data=mnist data.root=FOLDER
"""

import dataclasses
import json
from pathlib import Path

from omegaconf import DictConfig

from ridgeline.doors import checked, enter_without_trial, require_overrides_of


def prepare(cfg: DictConfig) -> None:
    require_overrides_of("data", "experiment")
    from ridgeline.data import describe  # NumPy and scikit-learn, which --help need not wait for

    data = describe(checked(cfg).data)
    print(f"{data.name}: {data.features} features, {data.classes} classes")
    print(f"examples: {data.examples.train} train, {data.examples.validation} validate, {data.examples.test} test")
    print(f"hash: {data.hash}")
    # No path and no time: the same data give the same bytes.
    content = dataclasses.asdict(data) | {"examples": data.examples._asdict()}
    path = Path("results/data.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    enter_without_trial(prepare)
