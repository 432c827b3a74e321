"""What looks wrong in a table, as it was found when the table was encoded, and what is refused of it."""

from __future__ import annotations

from functools import lru_cache

from ridgeline.checking import ConfigError
from ridgeline.config import TableConfig
from ridgeline.data.encoded import load_findings
from ridgeline.tables.leaks import Finding


@lru_cache(maxsize=4)
def findings(config: TableConfig) -> tuple[Finding, ...]:
    """The worst first; read once per process."""
    return load_findings(config)


def check_leaks(config: TableConfig) -> tuple[Finding, ...]:
    """The leaks. Raises ConfigError for the first one with `data.leaks=refuse`."""
    leaks = tuple(finding for finding in findings(config) if finding.is_leak)
    if leaks and config.leaks == "refuse":
        raise ConfigError(f"`no leak with data.leaks=refuse` must hold, but {leaks[0]}")
    return leaks
