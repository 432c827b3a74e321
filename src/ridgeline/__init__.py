"""Finds how much regularization a neural network needs, and proves it.

The names in `__init__.pyi` are the public API, on which src/ridgeline_recipes and a user's own programs are written.
Each is loaded when it is first used, so that `import ridgeline` waits for neither torch nor MLflow.
"""

import ast
import importlib
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
"""Set before the first product of this process and of its workers. MKL then rounds a product alike wherever its
matrices lie in memory, which differs between a fit alone and one in a stack (docs/decisions/0016)."""

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
"""Set before torch is first asked whether there is a GPU: it then asks the driver's library, and makes no context."""

_STUB = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
_MODULES = {
    alias.name: str(node.module) for node in _STUB.body if isinstance(node, ast.ImportFrom) for alias in node.names
}
"""Where each public name lies."""

__all__ = sorted(_MODULES)


def public(name: str) -> Any:
    """The public name, which one of `ridgeline`'s own packages may have too."""
    return getattr(importlib.import_module(_MODULES[name]), name)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ridgeline' has no attribute '{name}'")
    return public(name)
