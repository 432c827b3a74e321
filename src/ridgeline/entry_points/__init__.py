"""How a pipeline is entered: Hydra composes, a mistake becomes one line, nothing is written before the check."""

from ridgeline.command_line.places import ROOT
from ridgeline.entry_points.checks import (
    RefuseBadInput,
    check_single,
    checked,
    checked_prediction,
    refuse_keys,
    require_overrides_of,
)
from ridgeline.entry_points.entering import enter, enter_without_trial, one_trial, run_other
from ridgeline.entry_points.mistakes import one_line, refuse

__all__ = [
    "ROOT",
    "RefuseBadInput",
    "check_single",
    "checked",
    "checked_prediction",
    "enter",
    "enter_without_trial",
    "one_line",
    "one_trial",
    "refuse",
    "refuse_keys",
    "require_overrides_of",
    "run_other",
]
