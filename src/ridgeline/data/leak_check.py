"""What looks wrong in a table or in images, as it was found when they were read, and what is refused of it."""

from __future__ import annotations

from functools import lru_cache

from ridgeline.checking import ConfigError
from ridgeline.config import DataConfig, TableConfig
from ridgeline.data.arrays import load_arrays
from ridgeline.finding import Finding


@lru_cache(maxsize=4)
def what_looks_wrong(config: DataConfig) -> tuple[Finding, ...]:
    """The worst first; read once per process. Of data that are neither there are none."""
    if isinstance(config, TableConfig):
        from ridgeline.data.encoded import load_findings  # pandas, which other data do without

        return load_findings(config)
    return load_arrays(config).findings


def check_leaks(config: DataConfig) -> tuple[Finding, ...]:
    """The leaks. Raises ConfigError for the first one with `data.leaks=refuse`."""
    leaks = tuple(finding for finding in what_looks_wrong(config) if finding.is_leak)
    if leaks and getattr(config, "leaks", None) == "refuse":
        raise ConfigError(f"`no leak with data.leaks=refuse` must hold, but {leaks[0]}")
    return leaks
