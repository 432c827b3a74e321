"""Predict the rows of a file with a registered model.

python pipelines/predict.py model=ridgeline-churn@champion data.path=new.csv out=predictions.csv
python pipelines/predict.py model=ridgeline-churn data.path=new.csv out=predictions.csv keep=[id]
"""

from pathlib import Path

from omegaconf import DictConfig

from ridgeline.checking import require
from ridgeline.command_line.outputs import require_writable
from ridgeline.entry_points import checked, enter_without_trial, require_overrides_of


def predict(cfg: DictConfig) -> None:
    require_overrides_of("model", "data.path", "out", "keep", "runs", "tracking.uri")
    config = checked(cfg)
    for key, value in (("model", config.model), ("data.path", config.data.path), ("out", config.out)):
        require(value is not None, f"{key}=... is given", key, "null")
    path, out = Path(str(config.data.path)), Path(str(config.out))
    require(out.suffix == ".csv", "out ends in .csv", "out", out)
    require(out.absolute() != path.absolute(), "out is another file than data.path", "out", out)
    require_writable(out, "out")

    from ridgeline.evaluation.scoring import open_model, predict_file  # torch and MLflow, a mistake need not wait for

    fitted = open_model(config)
    count = predict_file(fitted, str(path), out, config.keep)
    print(f"{count} rows predicted by {config.model}\nwritten: {out}")


if __name__ == "__main__":
    enter_without_trial(predict, of_study=True)
