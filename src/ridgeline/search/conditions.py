"""A value or a range: `regularization.dropout=0,interval(0.05,0.6)` is off, or on and then so strong.

Optuna draws it as two parameters. `regularization.dropout?` is one of the values, or "interval"; only if it is the
latter the trial has a parameter `regularization.dropout`. Everybody else sees one value of the key, which is 0 where
it is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SWITCH = "?"
"""What the name of the parameter ends with that says which value, or that it is the interval; no key of Hydra's can."""
ON = "interval"
"""The choice of that parameter which stands for the interval."""


def values_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each searched key in a trial with these parameters. Of values it gives the same again."""
    return {name.removesuffix(SWITCH): v for name, v in params.items() if not (name.endswith(SWITCH) and v == ON)}
