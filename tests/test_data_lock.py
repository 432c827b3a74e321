"""Promise 7: test labels come from one function that two entry points call; nothing in a search leads to them."""

import ast
import dataclasses
from pathlib import Path

import pytest

from ridgeline.config import DataConfig
from ridgeline.data import Split, load_splits
from ridgeline.data.test_split import confirming, open_test_split

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/ridgeline/data"
MAY_OPEN = {"pipelines/confirm.py", "pipelines/case_study.py", "src/ridgeline/api/studies.py"}
INSIDE = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
"""The modules of the package, each of which sees all rows. Others import from `ridgeline.data` itself."""


CACHED = {("splits.py", "_load"), ("arrays.py", "load_arrays"), ("leak_check.py", "what_looks_wrong")}
CACHED |= {("data_module.py", "describe_module")}
"""The functions that keep what they gave: none of it is of the test split."""


def words_of(tree):
    """Every name that a program mentions: names, attributes, what it imports, and texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield node.value


def trespasses(tree):
    """The words by which a program outside the package would reach test rows."""
    locked = {"open_test_split", "test_split", "read_source", "split_rows", "read_mnist", "take_rows"}
    locked |= {"pool_and_test", "fold_rows", "read_module"}
    locked |= {f"ridgeline.data.{module}" for module in INSIDE} | {f"data.{module}" for module in INSIDE}
    locked -= {"data.targets"}  # which is a key of data=arrays too
    locked |= {"open_table", "ridgeline.tables.frames", "tables.frames"}  # a file with its targets
    found = set()
    for word in words_of(tree):
        found |= {name for name in locked if word == name or word.startswith(f"{name}.")}
    for node in ast.walk(tree):  # from ridgeline.data import splits
        if isinstance(node, ast.ImportFrom) and node.module in ("ridgeline.data", "data"):
            found |= {alias.name for alias in node.names if alias.name in INSIDE | {"*"}}
    return found


def programs():
    return [path for folder in ("src", "pipelines") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_only_what_confirms_opens_the_test_split():
    outside = [path for path in programs() if PACKAGE not in path.parents]
    assert any(path.name == "prepare.py" for path in outside)
    assert {path.relative_to(ROOT).as_posix() for path in outside} >= MAY_OPEN
    for path in outside:
        found = trespasses(ast.parse(path.read_text()))
        if path.parent.name == "tables" or path.name == "table.py":  # which reads, and of the target tells the task
            found -= {"open_table", "ridgeline.tables.frames"}
        if path.name == "new_images.py":  # which reads where new images are, of which nobody knows targets
            found -= {"open_table", "ridgeline.tables.frames"}
        if path.name == "given.py":  # which writes what lies in memory into a file, and tells a search its path
            found -= {"read_module", "ridgeline.data.loaders"}
        allowed = {"open_test_split", "test_split", "ridgeline.data.test_split", "data.test_split"}
        name = path.relative_to(ROOT).as_posix()
        assert not (found - allowed if name in MAY_OPEN else found), f"{name} reaches for {sorted(found)}"


def test_inside_the_package_only_one_file_opens_the_test_split():
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        if path.name == "test_split.py":
            assert "open_test_split" in defined
        else:
            assert not {"open_test_split", "test_split", "ridgeline.data.test_split"} & {*words_of(tree), *defined}


@pytest.mark.parametrize(
    "program",
    [
        "from ridgeline.data.test_split import open_test_split",
        "from ridgeline.data import test_split as harmless",
        "import ridgeline.data.test_split",
        "import ridgeline.data as d\nd.test_split.open_test_split(config)",
        "__import__('ridgeline.data.test_split')",
        "from ridgeline.data.sources import read_source",
        "from ridgeline.data import sources",
        "import ridgeline\nridgeline.data.rows.split_rows(source, config)",
        "from ridgeline.data import *",
    ],
)
def test_the_lock_sees_a_trespasser(program):
    assert trespasses(ast.parse(program))


def test_the_lock_lets_the_public_names_through():
    assert not trespasses(ast.parse("from ridgeline.data import DataDescription, Split, Splits, load_splits"))


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("split", ["stratified", "first"])
def test_splits_hold_train_and_validation_rows_and_nothing_else(split, folds):
    splits = load_splits(DataConfig("digits", split=split, folds=folds))
    both = [value for value in vars(splits).values() if isinstance(value, Split)]
    assert both == [splits.train, splits.validation]
    assert {field.name for field in dataclasses.fields(splits)} == {
        "train",
        "validation",
        "scalers",
        "n_classes",
        "image_shape",
        "description",
    }
    for split in both:
        for tensor in (split.x_NI, split.y_N):  # a view would drag the whole source along
            assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def test_no_cache_but_that_of_the_parts_that_a_search_may_see():
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
                assert "cache" not in decorators or (path.name, node.name) in CACHED


@pytest.mark.parametrize("folds", [None, 5])
def test_the_opened_test_split_shares_no_example_with_the_others(folds, tmp_path):
    config = DataConfig("digits", standardize="none", folds=folds)
    with confirming():
        test, _ = open_test_split(config, tmp_path / "ledger.jsonl", {})
    splits = load_splits(config)
    seen = {row.numpy().tobytes() for split in (splits.train, splits.validation) for row in split.x_NI}
    assert not seen & {row.numpy().tobytes() for row in test.x_NI}
