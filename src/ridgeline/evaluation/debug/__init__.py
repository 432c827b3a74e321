"""Three habits before a long training: gradients, a falling J, a handful of examples learned by heart.

Each check trains the configured network with the one engine, in float64 on the CPU, and writes nothing.
"""

from ridgeline.config import Config
from ridgeline.evaluation.debug.checks import Finding
from ridgeline.evaluation.debug.gradcheck import gradcheck
from ridgeline.evaluation.debug.monotone import monotone
from ridgeline.evaluation.debug.overfit import overfit

__all__ = ["Finding", "check"]

CHECKS = {"gradcheck": gradcheck, "monotone": monotone, "overfit": overfit}


def check(config: Config) -> Finding:
    """Run the check that the key `debug` names."""
    assert config.debug is not None
    return CHECKS[config.debug](config)
