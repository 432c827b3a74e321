"""Predict the rows of a file, or images, with a registered model.

python pipelines/predict.py model=ridgeline-churn@champion data.path=new.csv out=predictions.csv
python pipelines/predict.py model=ridgeline-churn data.path=new.csv out=predictions.csv keep=[id]
python pipelines/predict.py model=ridgeline-pets data.path=FOLDER out=predictions.csv     or data.path='new/*.jpg'
python pipelines/predict.py model=ridgeline-pets data.path=new.csv data.image=file data.on_error=skip out=p.csv
"""

from pathlib import Path

from omegaconf import DictConfig

from ridgeline.command_line.outputs import require_writable
from ridgeline.entry_points import checked_prediction, enter_without_trial, require_overrides_of


def predict(cfg: DictConfig) -> None:
    require_overrides_of("model", "data.path", "data.image", "data.on_error", "out", "keep", "runs", "tracking.uri")
    config = checked_prediction(cfg)
    model, out = str(config.model.name), Path(str(config.out))
    require_writable(out, "out")

    from ridgeline.evaluation.scoring import open_model, predict_file  # torch and MLflow, a mistake need not wait for

    fitted = open_model(model, config)
    data = config.data
    count = predict_file(fitted, str(data.path), out, config.keep, image=data.image, on_error=data.on_error)
    print(f"{count} rows predicted by {model}\nwritten: {out}")


if __name__ == "__main__":
    enter_without_trial(predict, config_name="predict")
