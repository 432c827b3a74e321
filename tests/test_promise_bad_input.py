"""Promise 9: bad input is refused in one line that gives key, rule and value; non-zero exit; nothing is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ridgeline.entry_points import ROOT

CASES = {
    "regularization.dropout=1.2": "`0 <= dropout < 1` must hold, but got regularization.dropout=1.2.",
    "regularization.l2=-1e-3": "`0 <= regularization.l2 < inf` must hold, but got regularization.l2=-0.001.",
    "regularization.group_lasso=inf": "`0 <= regularization.group_lasso < inf` must hold, but got",
    "network=softmax regularization.group_lasso=1": "group_lasso == 0 without hidden layers` must hold, but got",
    "regularization.mixup=-0.2": "`0 <= regularization.mixup < inf` must hold, but got regularization.mixup=-0.2.",
    "regularization.dropconnect=1": "`0 <= dropconnect < 1` must hold, but got regularization.dropconnect=1.0.",
    "network=softmax regularization.dropconnect=0.3": "dropconnect == 0 without hidden layers` must hold, but got",
    "regularization.max_norm=-1": "`0 <= regularization.max_norm < inf` must hold, but got regularization.max_norm=-1",
    "regularization.weight_average=1": "`0 <= weight_average < 1` must hold, but got regularization.weight_average=1",
    "regularization.penalize=output": "`regularization.penalize in {all, hidden}` must hold, but got",
    "regularization.label_smoothing=0.1 loss=hinge": "label_smoothing == 0 unless loss == cross_entropy` must hold",
    "network=softmax regularization.penalize=hidden": "penalize == all without hidden layers` must hold, but got",
    "callbacks=dropout_schedule callbacks.dropout_schedule.epochs=0": "dropout_schedule.epochs >= 1` must hold",
    "callbacks=penalty_schedule callbacks.penalty_schedule.name=up": "in {constant, early, late, curriculum, linear}`",
    "augmentation=affine": "`data.standardize is none, all or channel with augmentation` must hold, but got",
    "augmentation=affine data=wine": "`augmentation only of images (data=images, arrays, digits, mnist",
    "augmentation.rotate=200": "`0 <= augmentation.rotate <= 180` must hold, but got augmentation.rotate=200.0.",
    "augmentation.erase=1.5": "`0 <= augmentation.erase <= 1` must hold, but got augmentation.erase=1.5.",
    "network.hidden=[0]": "`network.hidden[i] >= 1` must hold, but got network.hidden=[0].",
    "regularization.dropout=[0.1,0.2,0.3]": "`len(regularization.dropout) == 2, the network's dropout layers,`",
    "regularization.dropuot=0.1": "There is no key `regularization.dropuot`. Did you mean regularization.dropout",
    "l2=0.1": "There is no key `l2`. Did you mean regularization.l2?",
    "seeds=8": "There is no key `seeds`. Did you mean confirm.seeds or ",
    "data=mnst": "There is no choice `data=mnst`. Did you mean mnist or moons?",
    "regularisation=l2": "Did you mean regularization",
    "trainer.max_epochs=0": "`trainer.max_epochs >= 1` must hold, but got trainer.max_epochs=0.",
    "trainer.max_epochs=ten": "`trainer.max_epochs is an integer` must hold, but got trainer.max_epochs=ten.",
    "loss=hing": "There is no choice `loss=hing`. Did you mean hinge?",
    "loss=mine.focal": "There is no choice `loss=mine.focal`. Did you mean loss._target_=mine.focal?",
    "callbacks=mine.Stop": "Did you mean callbacks.mine._target_=mine.Stop?",
    "optimizer.lr=0": "`0 < optimizer.lr < inf` must hold, but got optimizer.lr=0.0.",
    "data.train=0.9": "`data.train + data.validation <= 1` must hold, but got data.train + data.validation=1.1.",
    "data=mnist data.root=nowhere": "data.root=/",
    "trainer.precision=16": "`trainer.precision in {32-true, tf32, bf16-mixed, auto} without a model",
    "trainer.precision=tf32 trainer.accelerator=cpu": "`trainer.precision is 32-true or bf16-mixed on a CPU` must hold",
    "trainer.ckpt_path=nowhere.ckpt": "`trainer.ckpt_path is a file` must hold, but got trainer.ckpt_path=/",
    "tracking.uri=http://127.0.0.1:9": "tracking.uri=http://127.0.0.1:9",
    "tracking.uri=sqlite:////proc/nowhere/mlflow.db": "tracking.uri=sqlite:////proc/nowhere/mlflow.db",
    "regularization.l2=": "regularization.l2",
    "runs=what?": "`runs has no `?`, for MLflow's database lies in it` must hold, but got runs=/",
    "network=softmax regularization.dropout=0.3": "`regularization.dropout == 0 without hidden layers",
    "search=bayes": "A search needs --multirun (-m), but got search=bayes without it.",
    "seed=1,2": "'seed=1,2' are several values: add --multirun (-m)",
    "callbacks=[early_stopping,nope]": "There is no choice `callbacks=nope`. Did you mean none?",
    "metric=val/accuracy": "must hold, but got metric=val/accuracy.",
    "network.output=sigmoid": "`network.output is softmax unless data in {breast_cancer, moons}` must hold, but got",
    "debug=gradchek": "There is no choice `debug=gradchek`. Did you mean gradcheck?",
    "experiment=by_hand/l3": "There is no choice `experiment/by_hand=l3`. There is: baseline, dropout, l2.",
    "experiment=l2": "There is no choice `experiment=l2`. There is: by_hand/baseline, by_hand/dropout, by_hand/l2, ",
    "-m debug=gradcheck seed=1,2": "`debug is null with --multirun (-m)` must hold, but got debug=gradcheck.",
    "-m experiment=by_hand/l2,by_hand/l3": "There is no choice `experiment=by_hand/l3`. Did you mean by_hand/l2",
    "seed=[": "`seed=[` cannot be read",
}


@pytest.mark.parametrize("arguments", CASES)
def test_single_run_refuses_in_one_line_and_writes_nothing(arguments: str, tmp_path: Path) -> None:
    env = {**os.environ, "RIDGELINE_RUNS": str(tmp_path / "runs")}
    env.pop("HYDRA_FULL_ERROR", None)
    command = [sys.executable, str(ROOT / "pipelines" / "train.py"), *arguments.split()]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode not in (0, None)
    assert CASES[arguments] in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
