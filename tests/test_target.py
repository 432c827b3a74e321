"""A `_target_` is checked before anything of it runs, is a value like any other, and is built where it is needed."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hydra import compose, initialize_config_dir

from ridgeline.checking import ConfigError
from ridgeline.command_line.arguments import with_targets
from ridgeline.command_line.paths import settle
from ridgeline.command_line.places import ROOT
from ridgeline.target import Target, modules_in

MODULE = """
from typing import Literal

RAN = []


class Block:
    def __init__(self, width: int = 4):
        self.width = width


class Net:
    def __init__(
        self, n_inputs: int, width: int, rates: tuple[float, ...] = (), block=None, *, kind: Literal["a", "b"] = "a"
    ):
        RAN.append("built")
        if width == 13:
            raise ValueError("no such width")
        self.n_inputs, self.width, self.rates, self.block, self.kind = n_inputs, width, rates, block, kind


def loss(outputs, targets, gamma: float = 2.0, names=()):
    return (outputs - targets) ** gamma, names


def anything(**arguments):
    return arguments


NUMBER = 3
"""


@dataclass(frozen=True)
class Network(Target):
    GIVEN: ClassVar[tuple[str, ...]] = ("n_inputs", "n_outputs")


@dataclass(frozen=True)
class Loss(Target):
    FIRST: ClassVar[int] = 2


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of modules whose names are their own, for Python imports each but once."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_of_target.py").write_text(MODULE)
    (folder / "broken_of_target.py").write_text("import nothing_like_it\n")
    (folder / "raising_of_target.py").write_text("\n\n1 / 0\n")
    return str(folder)


@pytest.fixture
def read(module: str) -> Callable[..., Target]:
    def read(target: str, kind: type[Target] = Network, /, **arguments: object) -> Target:
        with modules_in(module):
            return kind.read({"_target_": target, **arguments}, "network")

    return read


def test_what_is_given_is_filled_in_where_the_signature_has_it(read):
    net = read("own_of_target.Net", width=8).build(n_inputs=64, n_outputs=10)
    assert (net.n_inputs, net.width) == (64, 8)
    assert read("own_of_target.Net", width=8, n_inputs=5).build(n_inputs=64).n_inputs == 5  # the user's own counts


def test_nothing_runs_before_it_is_built_and_equal_words_are_equal_values(read):
    read("own_of_target.Block")
    ran = list(sys.modules["own_of_target"].RAN)
    first, second = (read("own_of_target.Net", width=8, rates=[0.1, "2e-1"]) for _ in range(2))
    assert ran == sys.modules["own_of_target"].RAN
    assert first == second
    assert len({first, second, read("own_of_target.Net", width=9)}) == 2
    assert pickle.loads(pickle.dumps(first)) == first
    assert first.build(n_inputs=1).rates == (0.1, 0.2)
    assert first.tree() == {"_target_": "own_of_target.Net", "width": 8, "rates": [0.1, 0.2]}
    assert Network.read(first.tree(), "network") == first


def test_targets_nest_and_a_partial_one_is_called_later(read):
    block = {"_target_": "own_of_target.Block", "width": 3}
    net = read("own_of_target.Net", width=8, block=block).build(n_inputs=1)
    assert net.block.width == 3
    later = read("own_of_target.Net", width=8, block={**block, "_partial_": True}).build(n_inputs=1)
    assert later.block().width == 3
    assert read("own_of_target.anything", names=["a"], more={"b": [1]}).build() == {"names": ["a"], "more": {"b": [1]}}


def test_a_function_is_bound_to_its_arguments_and_a_class_is_made(read):
    assert read("own_of_target.loss", Loss, gamma=3).function()(3.0, 1.0) == (8.0, ())
    torch_loss = read("torch.nn.HuberLoss", Loss, delta=0.5).function(reduction="none", nothing=1)
    assert (torch_loss.reduction, torch_loss.delta) == ("none", 0.5)


@pytest.mark.parametrize(
    ("target", "arguments", "words"),
    [
        ("nowhere_at_all.Net", {}, "`network._target_ can be imported` must hold, but got network._target_=nowhere_at"),
        ("broken_of_target.Net", {}, "=broken_of_target.Net: No module named 'nothing_like_it'."),
        ("raising_of_target.Net", {}, "ZeroDivisionError: division by zero (raising_of_target.py, line 3)."),
        (
            "own_of_target.Nett",
            {},
            "There is no Nett in own_of_target, but got network._target_=",
        ),
        ("own_of_target.NUMBER", {}, "`network._target_ is a class or a function` must hold, but got"),
        ("Net", {}, "`network._target_ is MODULE.NAME, as in mine.Net` must hold, but got network._target_=Net."),
        ("own_of_target.Net", {"widht": 3}, "own_of_target.Net has no argument `network.widht`. Did you mean width?"),
        ("own_of_target.Net", {}, "`network.width` must be given: own_of_target.Net has no default for it."),
        (
            "own_of_target.Net",
            {"width": "wide"},
            "`network.width is an integer` must hold, but got network.width=wide.",
        ),
        ("own_of_target.Net", {"width": 2.5}, "`network.width is an integer` must hold, but got network.width=2.5."),
        ("own_of_target.Net", {"width": 2, "kind": "c"}, "`network.kind in {a, b}` must hold, but got network.kind=c."),
        ("own_of_target.Net", {"width": 2, "rates": 0.1}, "`network.rates is a list` must hold, but got"),
        (
            "own_of_target.Net",
            {"width": 2, "block": {"_target_": "own_of_target.Block", "size": 1}},
            "own_of_target.Block has no argument `network.block.size`. There is: width.",
        ),
    ],
)
def test_what_cannot_be_called_like_that_is_refused_in_one_line(read, target, arguments, words):
    with pytest.raises(ConfigError) as refused:
        read(target, **arguments)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_users_code_raises_is_one_line_with_the_place(read):
    with pytest.raises(ConfigError) as refused:
        read("own_of_target.Net", width=13).build(n_inputs=1)
    place = r"network._target_=own_of_target.Net: ValueError: no such width \(own_of_target.py, line \d+\)\."
    assert re.fullmatch(f"`network can be built` must hold, but got {place}", str(refused.value))


def test_a_module_that_hides_the_users_own_is_refused(tmp_path):
    (tmp_path / "json.py").write_text("class Net: ...\n")
    with modules_in(str(tmp_path)), pytest.raises(ConfigError, match=r"json is no other module than .*rename it"):
        Target.read({"_target_": "json.JSONEncoder"}, "network")


def test_another_process_finds_the_module_in_the_folder_that_was_recorded(module, read, tmp_path):
    """As a worker does, wherever it was started."""
    (tmp_path / "pickled").write_bytes(pickle.dumps(read("own_of_target.Block", Target, width=7)))
    code = "import pickle; print(pickle.load(open('pickled', 'rb')).build().width)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout == "7\n"


def test_keys_of_a_target_are_added_and_no_file_of_ours_is_chosen_beside_it():
    typed = ["network._target_=mine.Net", "network.width=32,64", "seed=1", "+network.depth=2", "trainer=default"]
    own = ["network=own"] * (ROOT / "conf" / "network" / "own.yaml").is_file()
    added = ["++network._target_=mine.Net", "++network.width=32,64", "seed=1", "+network.depth=2", "trainer=default"]
    assert with_targets(typed) == [*own, *added]
    assert with_targets(["callbacks.mine._target_=mine.Stop", "callbacks.mine.patience=3", "callbacks=none"]) == [
        "++callbacks.mine._target_=mine.Stop",
        "++callbacks.mine.patience=3",
        "callbacks=none",
    ]
    assert with_targets(["network.hidden=[3]"]) == ["network.hidden=[3]"]
    assert with_targets(["data.ordered={size:[S,L]}"]) == ["++data.ordered={size:[S,L]}"]


def test_keys_that_a_file_of_the_users_own_need_not_name_are_added(tmp_path):
    typed = ["model=mine", "model.net.dropout=0.1,0.3", "trainer.restore_best=false"]
    assert with_targets(typed) == [typed[0], f"++{typed[1]}", typed[2]]
    (tmp_path / "trainer").mkdir()
    assert with_targets(typed, [None, tmp_path]) == [typed[0], f"++{typed[1]}", f"++{typed[2]}"]


@pytest.mark.parametrize(
    ("argument", "is_recorded"),
    [
        ("++callbacks.mine._target_=mine.Stop", True),
        ("++callbacks.mine._target_=torch.nn.ReLU", False),
        ("++callbacks.mine._target_=torch.nn.ReLU,mine.Stop", True),
        ("seed=3", False),
    ],
)
def test_the_folder_of_the_users_own_modules_is_recorded(argument, is_recorded, monkeypatch, tmp_path):
    """So that a printed command, a worker on another machine and a later command find them."""
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = [] if "," in argument else [argument]
        config = compose("config", overrides=composed, return_hydra_config=True)
        settled = settle(config, [argument])
    assert config.import_path == (str(tmp_path) if is_recorded else None)
    assert [text for text in settled if "import_path" in text] == [f"++import_path={tmp_path}"] * is_recorded


def test_a_folder_that_was_given_is_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = ["++callbacks.mine._target_=mine.Stop", "import_path=code"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides=arguments, return_hydra_config=True)
        assert f"import_path={Path(tmp_path) / 'code'}" in settle(config, arguments)
