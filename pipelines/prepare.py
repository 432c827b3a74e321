"""Load and verify the data set (MNIST is downloaded once), and say what it is; of your files, what was understood.

python pipelines/prepare.py
python pipelines/prepare.py data=table data.path=churn.csv data.target=churn
python pipelines/prepare.py data=arrays data.path=x.npz prepare.sheet=sheet.png augmentation.rotate=15
python pipelines/prepare.py data=images data.path=FOLDER
python pipelines/prepare.py data=mnist data.root=FOLDER prepare.summary=data.json
"""

import dataclasses
import json
from pathlib import Path

from omegaconf import DictConfig

from ridgeline.entry_points import checked, enter_without_trial, require_overrides_of


def prepare(cfg: DictConfig) -> None:
    require_overrides_of("data", "task", "import_path", "experiment", "prepare", "augmentation", "seed")
    from ridgeline.arrays.examples import find_examples
    from ridgeline.config import ArraysConfig, ImagesConfig, TableConfig

    # NumPy and scikit-learn, which --help need not wait for
    from ridgeline.data import check_leaks, class_lines, describe, load_arrays, look_at, notes_of, what_looks_wrong

    config = checked(cfg)
    data, overview = describe(config.data), None
    if isinstance(config.data, (TableConfig, ImagesConfig)):
        overview = look_at(config.data)
        print("\n".join(overview.lines))
    if isinstance(config.data, ArraysConfig):
        print(f"arrays: {find_examples(config.data.place).said}")
        if config.predicted == "classification":
            print("\n".join([*class_lines(config.data), ""]))
    check_leaks(config.data)
    if not isinstance(config.data, ImagesConfig):  # whose overview has said it
        print("".join(f"{note}\n" for note in notes_of(config.data)), end="")
    classes = f", {data.classes} classes" if config.predicted == "classification" else ""
    print(f"{data.name}: {data.features} features{classes}")
    print(f"examples: {data.examples.train} train, {data.examples.validation} validate, {data.examples.test} test")
    print(f"hash: {data.hash}")
    found = overview.findings if overview is not None else what_looks_wrong(config.data)
    if found or overview is not None:
        print("\n".join(["", *map(str, found)] if found else ["", "Nothing looks wrong."]))
    if config.prepare.sheet is not None:
        from ridgeline.trial.contact_sheet import write_contact_sheet  # torch, which nothing else here needs

        write_contact_sheet(config, Path(config.prepare.sheet))
        print(f"written: {config.prepare.sheet}")
    elif load_arrays(config.data).image_shape is not None:
        print(
            "to see some of each class: prepare.sheet=sheet.png; as they are augmented, with augmentation.flip=0.5 say"
        )
    if config.prepare.summary is not None:
        # No path and no time: the same data give the same bytes.
        content = dataclasses.asdict(data) | {"examples": data.examples._asdict()}
        if overview is not None:
            content |= {"columns": overview.columns} if overview.columns else {}
            content |= {"findings": [dataclasses.asdict(one) for one in overview.findings]}
        path = Path(config.prepare.summary)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")
        print(f"written: {path}")


if __name__ == "__main__":
    enter_without_trial(prepare)
