"""The user's own source files: which they are, and that a study follows from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ridgeline.checking import ConfigError
from ridgeline.config import parse
from ridgeline.config.own_code import digest, own_sources, own_targets
from ridgeline.data import load_splits
from ridgeline.evaluation.stored import open_study
from ridgeline.search import identity
from ridgeline.stack.fitted import Fitted, load_fitted, packages_in
from ridgeline.stack.fitting import fit
from ridgeline.stack.networks import shape_of
from settings import SMALL
from settings import tree as tree_of
from sweeping import Studies, table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "own_net.py": "import json\nimport torch\nfrom own_parts import blocks\nfrom own_parts.deep import Head\n",
        "own_parts/__init__.py": "",
        "own_parts/blocks.py": "def late():\n    from . import lazy\n",
        "own_parts/lazy.py": "x = 1\n",
        "own_parts/deep/__init__.py": "from ..other import Head\n",
        "own_parts/other.py": "class Head: ...\n",
        "own_parts/unused.py": "",
        "unrelated.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def tree(folder: Path, **groups: object) -> dict[str, object]:
    return {"import_path": str(folder), **groups}


def test_sources_are_the_targets_file_and_all_that_it_imports_from_beside_it(folder):
    found = own_sources([tree(folder, network={"_target_": "own_net.Net"})])
    own = ["own_net.py", "own_parts/__init__.py", "own_parts/blocks.py", "own_parts/deep/__init__.py"]
    assert list(found) == [*own, "own_parts/lazy.py", "own_parts/other.py"]
    assert found["own_net.py"] == (folder / "own_net.py").read_text()


def test_what_ridgeline_and_torch_bring_is_no_code_of_the_users(folder):
    used = tree(folder, loss={"_target_": "torch.nn.HuberLoss"}, search={"sampler": {"_target_": "optuna.samplers.X"}})
    used["hydra"] = {"callbacks": {"mine": {"_target_": "own_net.Callback"}}}
    assert own_targets(used) == []
    assert own_sources([used]) == {}


def test_a_target_inside_another_and_one_in_a_list_count_too(folder):
    nested = {"_target_": "torch.nn.Sequential", "layers": [{"_target_": "own_parts.other.Head"}]}
    assert list(own_sources([tree(folder, network=nested)])) == ["own_parts/__init__.py", "own_parts/other.py"]


def test_a_changed_file_is_another_definition_and_is_named(folder):
    used = [tree(folder, network={"_target_": "own_net.Net"})]
    before = {"code": "same", "own_code": {name: digest({name: text}) for name, text in own_sources(used).items()}}
    (folder / "own_parts" / "lazy.py").write_text("x = 2\n")
    after = {"code": "same", "own_code": {name: digest({name: text}) for name, text in own_sources(used).items()}}
    assert identity.revised(before, before) == []
    assert identity.revised(before, after) == ["your own_parts/lazy.py"]
    assert identity.revised(before, {"code": "other"})[0] == "code"


def test_a_study_is_named_after_the_users_own_sampler_too(tmp_path, monkeypatch):
    """Optuna's come with a version, one's own with its text; it is found in the working directory."""
    own = tmp_path / "own_sampler.py"
    own.write_text("from optuna.samplers import RandomSampler\n\n\nclass Mine(RandomSampler): ...\n")
    monkeypatch.chdir(tmp_path)
    studies = Studies(tmp_path / "runs", tmp_path / "mlflow.db")
    plan = studies.plan("search=random", "search.sampler._target_=own_sampler.Mine")
    assert plan.definition["own_code"] == {"own_sampler.py": digest({"own_sampler.py": own.read_text()})}
    assert plan.config.import_path == str(tmp_path)
    own.write_text(own.read_text() + "\n# another text\n")
    assert studies.plan("search=random", "search.sampler._target_=own_sampler.Mine").name != plan.name
    assert "own_code" not in studies.plan("search=random").definition
    assert plan.line.follow("confirm", plan.name).endswith(f"runs={tmp_path / 'runs'}")  # which draws no trial


NETS = """from torch import nn


def net(n_inputs, n_outputs, width):
    return nn.Linear(n_inputs, n_outputs)


other = net
"""
SWEPT = ("network=own", "++network._target_=own_nets.net,own_nets.other", "++network.width=4,8", "data=wine")


@pytest.fixture
def nets(tmp_path, monkeypatch) -> Studies:
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return Studies(tmp_path / "runs", tmp_path / "mlflow.db")


def test_targets_and_arguments_without_default_are_swept_like_any_key(nets):
    """Of a network, and of a regularizer, which no file of ours has."""
    plan = nets.plan(*SWEPT)
    assert plan.n_trials == 4
    assert [key for key in plan.definition["config"] if key.startswith("network.")] == []
    assert list(plan.own_code) == ["own_nets.py"]
    assert plan.line.follow("confirm", "it").endswith("'tracking.allowed_targets=[own_nets.]'")
    swept = "++regularization.mine._target_=own_parts_of_tests.Small,own_parts_of_tests.Other"
    (Path.cwd() / "own_parts_of_tests.py").write_text(EFFECTS)
    assert nets.plan("data=wine", swept, "++regularization.mine.strength=0.1,0.2").n_trials == 4


EFFECTS = """from ridgeline import Effect


class Small(Effect):
    def __init__(self, strength):
        self.strength = strength

    def on_gradients(self):
        self.fits.rows.grads_KP.add_(self.fits.rows.values_KP, alpha=self.strength)

    def values_K(self):
        return self.strength / 2 * self.fits.rows.values_KP.square().sum(dim=1)


class Other(Small): ...
"""


@pytest.mark.verify
def test_a_stored_study_that_swept_targets_is_opened_again(nets):
    folder = nets.run(*SWEPT)
    tried = {(row["network._target_"], row["network.width"]) for row in table(folder)}
    assert tried == {(f"own_nets.{name}", width) for name in ("net", "other") for width in ("4", "8")}
    asked = parse(tree_of({**SMALL, "runs": str(nets.runs), "tracking.allowed_targets": ["own_nets."]}))
    assert open_study(asked, folder.name).config.network.path == "own_nets.net"
    with pytest.raises(ConfigError, match=r"To allow it: 'tracking\.allowed_targets="):
        open_study(replace(asked, tracking=replace(asked.tracking, allowed_targets=())), folder.name)


def test_a_fitted_network_takes_its_own_code_along(tmp_path):
    """So it can be served where the module's folder is not; and what is read back is imported when it is allowed."""
    changes = {"data.name": "wine", "network._target_": "modules.Sized", "network.width": 8, "trainer.max_epochs": 2}
    config = parse(tree_of({**{key: value for key, value in SMALL.items() if key[:8] != "network."}, **changes}))
    splits = load_splits(config.data)
    (result,) = fit([config], splits)
    fitted = Fitted(config, result.weights, splits.scaler, shape_of(splits))
    fitted.save(tmp_path)
    assert (tmp_path / "own_code" / "modules.py").read_text() == (Path(__file__).parent / "modules.py").read_text()
    with pytest.raises(ConfigError, match=r"To allow it: 'tracking.allowed_targets=\[modules\.\]"):
        load_fitted(tmp_path)
    again, x_NI = load_fitted(tmp_path, packages_in(tmp_path)), splits.scaler.undo(splits.validation.x_NI.numpy())
    np.testing.assert_array_equal(again.predict(x_NI), fitted.predict(x_NI))
