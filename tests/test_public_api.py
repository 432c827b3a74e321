"""The public API: what `ridgeline` offers can be imported, and importing it waits for nothing."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import ridgeline


@pytest.mark.parametrize("name", ridgeline.__all__)
def test_public_name_is_there_and_is_the_one_of_its_module(name: str) -> None:
    module = importlib.import_module(ridgeline._MODULES[name])
    own = getattr(module, name)
    if isinstance(getattr(ridgeline, name), ModuleType):  # a package of the same name, which is called as the function
        assert inspect.signature(getattr(ridgeline, name)) == inspect.signature(own)
    else:
        assert getattr(ridgeline, name) is own


def test_importing_the_package_waits_for_no_library_and_another_name_is_an_error() -> None:
    program = (
        "import sys, ridgeline\n"
        "assert not {'torch', 'mlflow', 'optuna', 'hydra', 'numpy'} & set(sys.modules)\n"
        "from ridgeline import ConfigError\n"
        "assert 'torch' not in sys.modules\n"
        "try:\n    from ridgeline import confrim\n"
        "except ImportError as error:\n    assert 'confrim' in str(error)\n"
        "else:\n    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
