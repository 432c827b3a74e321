"""Promise 9, of what is typed: a key without effect, or one that is not the user's to set, is refused in one line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException

from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import check_arguments, check_arguments_without_trial, read_arguments
from ridgeline.entry_points import ROOT, check_single, one_line
from sweeping import Studies

TYPED = {
    "-m search=bayes search.sampler=gp": "`search.sampler` is a group of keys, but got search.sampler=gp: write",
    "callbacks=5": "`callbacks is a choice, or a list of different ones` must hold, but got callbacks=5.",
    "callbacks=[early_stopping,early_stopping]": "`callbacks is a choice, or a list of different ones` must hold",
    "callbacks=null": "`callbacks is a choice, or a list of different ones` must hold, but got callbacks=null.",
    "data=null": "`data is one choice` must hold, but got data=null.",
    "-m data=null,wine": "`data is one choice` must hold, but got data=null,wine.",
    "data=[wine,digits]": "`data is one choice` must hold, but got data=[wine,digits].",
    "-m optimizer=interval(0,1)": "`optimizer is one choice` must hold",
    "-m search/sampler=7": "`search/sampler is one choice` must hold, but got search/sampler=7.",
    "-m hydra/launcher=null": "`hydra/launcher is one choice` must hold",
    "trial.number=3": "`trial.number` is for a study to set, but got trial.number=3.",
    "-m ++trial.study=mine": "`trial.study` is for a study to set, but got ++trial.study=mine.",
    "network.name=softmax": "is for the chosen file to set, but got network.name=softmax: write network=CHOICE.",
    "-m network.name=mlp,softmax": "`network.name` is for the chosen file to set",
    "data.name=wine": "write data=CHOICE.",
    "~seed": "`seed` cannot be left out, for its default would take its place: give a value, not ~seed.",
    "~callbacks.early_stopping": "`callbacks.early_stopping` cannot be left out",
    "study=mine": "`study` has no effect on training, but got study=mine: another pipeline reads it.",
    "-m confirm.seeds=30": "`confirm.seeds` has no effect on training",
    "search.n_trials=9": "A search needs --multirun (-m), but got search.n_trials=9 without it.",
    "search/sampler=gp": "A search needs --multirun (-m), but got search/sampler=gp without it.",
    "tracking.keep_weights=9": "`tracking.keep_weights` is of a study, which needs --multirun (-m), but got",
    "hydra.launcher.workers=0": "`hydra.launcher.workers` is of a study, which needs --multirun (-m), but got",
    "-m hydra.sweep.dir=x": "A study has its own folder, runs/studies/NAME, but got hydra.sweep.dir=x: set runs=",
    "-m ++hydra.sweep.dir=x": "A study has its own folder",
    "-m +hydra.sweep.subdir=x": "A study has its own folder",
    "hydra.sweep.dir=x": "A study has its own folder",
    "-m hydra/sweeper=basic seed=1,2": "A study has its own sweeper, but got hydra/sweeper=basic: choose search=",
    "-m hydra.sweeper.n_trials=20 seed=1,2": "but got hydra.sweeper.n_trials=20: it is search.n_trials here.",
    "-m hydra/sweeper/sampler=tpe seed=1,2": "choose search/sampler=tpe",
    "-m hydra.sweeper.params.seed=1,2": "type seed=... by itself.",
    "-m hydra.run.dir=x": "`hydra.run.dir` has no effect on a study, but got hydra.run.dir=x: set runs=",
    "hydra.job.num=4": "`hydra.job.num` is for Hydra to set, but got hydra.job.num=4.",
    "hydra.verbose=5": "`hydra.verbose is true, false, a logger's name or a list of them` must hold, but got",
    "--cfg job -m seed=1,2": "must hold, but got options=--multirun --cfg.",
    "-m search.params={}": "`search.params={}` changes nothing, for a mapping is merged into what is there: ~search.",
    "callbacks.early_stopping={}": "changes nothing, for a mapping is merged into what is there.",
    "=5": "`=5` cannot be read: an argument is KEY=VALUE.",
    "--package foo data=wine": "which shows a part of the configuration,` must hold, but got --package=foo.",
    "tracking.allowed_targets=[os]": "`tracking.allowed_targets` is of a study, which needs --multirun (-m), but got",
    "--nope": "There is no option --nope",
    "--experimental-rerun=x": "--experimental-rerun=x.",
}
"""Refused before Hydra composes."""

COMPOSED = {
    "data=moons data.noise=inf": "`0 <= data.noise <= 1e6` must hold, but got data.noise=inf.",
    "optimizer.eps=inf": "`0 < optimizer.eps < inf` must hold, but got optimizer.eps=inf.",
    "optimizer.gradient_clip_val=inf": "`optimizer.gradient_clip_val is finite` must hold",
    "callbacks.early_stopping.min_delta=inf": "`callbacks.early_stopping.min_delta is finite` must hold",
    "callbacks.early_stopping.min_delta=nan": "`callbacks.early_stopping.min_delta is a number` must hold",
    "optimizer.lr=1e308": "`optimizer.lr is finite in float32` must hold, but got optimizer.lr=1e+308.",
    "optimizer.eps=1e-300": "`optimizer.eps is 0, or more than 0 in float32` must hold, but got optimizer.eps=1e-300.",
    "regularization.l1=1e39": "`regularization.l1 is finite in float32` must hold, but got regularization.l1=1e+39.",
    "trainer.batch_size=1e30": "`trainer.batch_size < 2**31` must hold",
    "\"runs=' '\"": "`runs is a folder` must hold, but got runs= .",
    "runs=": "`runs is a folder` must hold, but got runs=.",
    "data.noise=1e30 data=moons": "`0 <= data.noise <= 1e6` must hold",
    "data=mnist data.root=": "`data.root is not empty` must hold, but got data.root=.",
    "seed=${foo}": "`seed` refers to what is not there: Interpolation key 'foo' not found.",
    "seed=${oc.env:NOT_THERE_AT_ALL}": "Environment variable 'NOT_THERE_AT_ALL' not found",
    "hydra.run.dir=": "`hydra.run.dir is a folder` must hold, but got hydra.run.dir=.",
    "hydra.run.dir=/proc/x": "`hydra.run.dir can be written` must hold, but got hydra.run.dir=/proc/x:",
    "network=softmax +network.hidden=[3]": "There is no key `network.hidden`.",
    "+optimizer.momentum=0.9": "`optimizer in {sgd}` must hold where optimizer.momentum is given, but got",
    "++optimizer.weight_decay=0.1": "`optimizer in {adamw}` must hold where optimizer.weight_decay is given",
    "optimizer=sgd +optimizer.eps=1e-3": "`optimizer in {adam, adamw}` must hold where optimizer.eps is given",
    "network=softmax +network.activation=tanh": "There is no key `network.activation`.",
    "data.split=first data.seed=3": "`data.split != first (or data.examples is given)` must hold where",
    "data.zca_epsilon=0.1": "`data.standardize == zca` must hold where data.zca_epsilon is given",
    "regularization.l1_form=subgradient": "`one of group_lasso, l1 > 0` must hold where",
    "regularization.penalize=hidden": "`one of l1, l2, max_norm > 0` must hold where regularization.penalize is given",
    "+lr_schedule.gamma=0.5": "`lr_schedule=step` must hold where lr_schedule.gamma is given, but got",
    "lr_schedule=step trainer.max_epochs=10": "`lr_schedule.step_size < trainer.max_epochs == 10` must hold where",
    "lr_schedule=cosine lr_schedule.final_factor=1": "`lr_schedule.final_factor < 1` must hold where lr_schedule is",
    "callbacks=dropout_schedule": "`one of dropconnect, dropout, input_dropout",
    "callbacks=[penalty_schedule]": "`one of group_lasso, l1, l2 > 0` must hold where callbacks.penalty",
    "callbacks=dropout_schedule callbacks.dropout_schedule.name=late regularization=dropout trainer.max_epochs=9": (
        "`callbacks.dropout_schedule.epochs < trainer.max_epochs == 9` must hold where"
    ),
    "callbacks.early_stopping.patience=9 trainer.max_epochs=9": "callbacks.early_stopping.patience < trainer.max",
    "callbacks.early_stopping.min_delta=0.1 trainer.max_epochs=9": "callbacks.early_stopping.patience < trainer.max",
}
"""Refused of what Hydra composes."""

TAKEN = [
    "optimizer=sgd optimizer.momentum=0.8",
    "lr_schedule=step lr_schedule.step_size=3 regularization=dropout callbacks=[dropout_schedule]",
    "experiment=case_study/baseline",  # a file may hold what a variant of it needs
    "callbacks=[] data.standardize=zca data.zca_epsilon=0.1 seed=0",
    "regularization.group_lasso=0.1 regularization.l1_form=subgradient hydra.verbose=true",
]


def refusal(line: str) -> str:
    """Of a single run."""
    arguments = read_arguments(shlex.split(line))
    check_arguments(arguments)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides=arguments.overrides, return_hydra_config=True)
        with pytest.raises(ConfigError) as refused:
            check_single(config)
    return str(refused.value)


@pytest.mark.parametrize("line", TYPED)
def test_what_is_not_for_the_user_to_set_is_refused_before_it_is_composed(line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_arguments(read_arguments(line.split()))
    assert TYPED[line] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("line", COMPOSED)
def test_value_that_cannot_be_or_has_no_effect_is_refused(line: str) -> None:
    found = refusal(line)
    assert COMPOSED[line] in found
    assert "\n" not in found


@pytest.mark.parametrize("line", TAKEN)
def test_what_has_an_effect_is_taken(line: str) -> None:
    found = refusal(f"{line} tracking.uri=nothing://")  # refused last, by the store
    assert "tracking.uri" in found or "data.root" in found


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("optimizer=adam,adamw ++optimizer.momentum=0.9", "optimizer.momentum"),
        ("lr_schedule=step trainer.max_epochs=5,10", "lr_schedule.step_size < trainer.max_epochs"),
        ("data=wine,digits data.zca_epsilon=0.1", "data.zca_epsilon"),
        ("data.split=first data.seed=1,2", "data.split != first"),
        (
            "trainer.precision=32-true,tf32 trainer.accelerator=cpu",
            "trainer.precision is 32-true or bf16-mixed on a CPU",
        ),
        ("seed=1,2 search.study_name=x.json", "search.study_name does not end in .json"),
        ("seed=1,2 search/sampler=gp", "where search/sampler is chosen` must hold, but got search.sampler=gp"),
        ("search=bayes +search.params.seed=1,2", "typed without search.params: seed=1,2"),
        (f"seed=1,2 search.study_name={'a' * 201}", r"len\(search.study_name\) <= 200"),
        ("search=bayes +search.params={network.name:'choice(mlp,softmax)'}", "network.name"),
    ],
)
def test_key_without_effect_in_any_trial_is_refused(line: str, refused: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=refused):
        Studies(tmp_path, tmp_path / "mlflow.db").plan(*shlex.split(line, posix=False))
    assert list(tmp_path.iterdir()) == []


def test_key_with_an_effect_in_one_trial_is_taken_and_left_out_of_the_command_of_another(tmp_path: Path) -> None:
    plan = Studies(tmp_path, tmp_path / "mlflow.db").plan(
        "regularization.l1=0,1e-3", "regularization.l1_form=subgradient", "callbacks=[early_stopping,penalty_schedule]"
    )
    assert "l1_form=subgradient callbacks=[early_stopping,penalty_schedule]" in plan.line.retrain(
        {"regularization.l1": 1e-3}
    ).replace("'", "")
    without = plan.line.retrain({"regularization.l1": 0}).replace("'", "")
    assert "l1_form" not in without
    assert "callbacks=[early_stopping]" in without


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("data=wíne", "some of its characters need quotes, \"data='wíne'\"."),
        ("wíne", "an argument is KEY=VALUE."),
        ("", "`` cannot be read: an argument is KEY=VALUE."),
    ],
)
def test_what_cannot_be_read_is_said_in_words(typed: str, words: str) -> None:
    with pytest.raises(OverrideParseException) as unread:
        OverridesParser.create().parse_overrides([typed])
    assert words in one_line(unread.value)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("search.enqueue={seed: 1}", "`search.enqueue is a list` must hold, but got search.enqueue={seed: 1}."),
        ("search.params=[a]", "`search.params is a group of keys` must hold, but got search.params=[a]."),
        ("hydra.job.chdir=banana", "hydra.job.chdir=banana: Value 'banana' is not a valid bool (type str)."),
    ],
)
def test_value_of_another_kind_than_its_key_is_one_line(typed: str, words: str) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"), pytest.raises(HydraException) as unfit:
        compose("config", overrides=["search=bayes", typed], return_hydra_config=True)
    assert one_line(unfit.value) == words


def test_option_is_read_anywhere_on_the_line_also_abbreviated() -> None:
    arguments = read_arguments(["data=wine", "--multi", "seed=1,2", "-cn", "config", "seed=3"])
    assert arguments.multirun
    assert arguments.overrides == ["data=wine", "seed=1,2", "seed=3"]
    assert arguments.options == ["--multi", "-cn", "config"]
    assert read_arguments(["hydra.mode=MULTIRUN"]).multirun


@pytest.mark.parametrize("line", ["study=x --multi", "study=x -m", "study=x hydra.mode=MULTIRUN", "hydra.run.dir=x"])
def test_pipeline_without_a_trial_makes_no_study_and_no_folder(line: str) -> None:
    with pytest.raises(ConfigError, match=r"takes no --multirun|has no effect here"):
        check_arguments_without_trial(read_arguments(line.split()), "confirm.py")


@pytest.mark.verify
@pytest.mark.parametrize(
    ("pipeline", "line", "words"),
    [
        ("train.py", "seed=${foo}", "`seed` refers to what is not there"),
        ("train.py", "-m regularization.l2=0,1e-3 seed=${foo}", "Interpolation key 'foo' not found"),
        ("train.py", "seed=1 -m data=null", "`data is one choice` must hold"),
        ("train.py", "--config-name nope", "There is no configuration `nope`. There is: app, config,"),
        ("train.py", "-m runs=/proc/x tracking.uri=sqlite:///{}/m.db seed=1,2", "`runs can be written` must hold"),
        ("confirm.py", "--multi study=x", "confirm.py takes no --multirun (-m)."),
        ("confirm.py", "study=x data=wine", "`data` cannot be set here"),
        ("prepare.py", "optimizer.lr=3", "`optimizer.lr` cannot be set here"),
        ("by_hand.py", "experiment=by_hand/baseline search.n_trials=3", "`search.n_trials` cannot be set here"),
        ("case_study.py", "confirm.seeds=3", "to set, but got confirm.seeds=3"),
    ],
)
def test_pipeline_refuses_in_one_line_and_writes_nothing(pipeline: str, line: str, words: str, tmp_path: Path) -> None:
    env = {**os.environ, "RIDGELINE_RUNS": str(tmp_path / "runs")}
    command = [sys.executable, str(ROOT / "pipelines" / pipeline), *line.replace("{}", str(tmp_path)).split()]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verify
@pytest.mark.parametrize("line", ["by_hand.py network=softmax", "report.py study=nope", "report.py"])
def test_pipeline_refuses_before_torch_is_imported(line: str, tmp_path: Path) -> None:
    code = "import atexit, runpy, sys; atexit.register(lambda: print('torch' in sys.modules));"
    code += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", code, *f"{ROOT}/pipelines/{line} runs={tmp_path}".split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "False\n"), done.stderr
