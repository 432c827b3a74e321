"""Execute the code cells of a notebook in this process, in order, and write what the last line of each gives.

python tests/notebook_cells.py NOTEBOOK OUT.json
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

from ridgeline import ConfigError


def run_cells(notebook: dict[str, Any]) -> list[str | None]:
    """The `repr` of the value of each code cell's last line, None where it has none; the line of what is refused."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    found: list[str | None] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        try:
            found.append(_run(ast.parse("".join(cell["source"])), namespace))
        except ConfigError as refused:
            found.append(str(refused))
    return found


def _run(tree: ast.Module, namespace: dict[str, Any]) -> str | None:
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), namespace)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace) if last is not None else None
    return None if value is None else repr(value)


if __name__ == "__main__":
    read, write = map(Path, sys.argv[1:])
    outputs = run_cells(json.loads(read.read_text()))
    write.write_text(json.dumps(outputs))
