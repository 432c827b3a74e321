"""All numbers of the case study, as case_study.json has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ridgeline import Config, Row, commit, describe_machine, load_splits, versions
from ridgeline_recipes.case_study.kept import KeptFit
from ridgeline_recipes.case_study.measuring import LATE, describe, judge, measure
from ridgeline_recipes.case_study.variants import BASELINE, BY_NAME, TUNED

Fits = Mapping[str, Sequence[KeptFit]]
"""The fits of each variant, one for each seed. Two variants may be the same networks."""


@dataclass(frozen=True)
class Results:
    """`record`: in plain values. `histories`: by the variants' labels, a history a seed."""

    record: dict[str, Any]
    histories: Mapping[str, Sequence[list[Row]]]


def distinct(fits: Fits) -> list[KeptFit]:
    """Each network once."""
    return list({(fit.folder, fit.config.seed): fit for own in fits.values() for fit in own}.values())


def gather(
    configs: Mapping[str, Config], fits: Fits, searched: Mapping[str, Any], opening: Mapping[str, Any], command: str
) -> Results:
    """All numbers, of fits that are trained and tested. `command`: how the case study was called."""
    measured = {name: measure(own) for name, own in fits.items()}
    description = load_splits(configs[BASELINE].data).description
    networks = distinct(fits)
    settings = {name: BY_NAME[name].setting for name in fits}
    settings[TUNED] = f"`l2={searched['l2']:.3g}`, `dropout={searched['dropout']:.3g}`, by search"
    record = {
        "command": command,
        "seeds": [fit.config.seed for fit in fits[BASELINE]],
        "network": [description.features, *configs[BASELINE].network.hidden, description.classes],
        "max_epochs": configs[BASELINE].trainer.max_epochs,
        "variants": describe(measured, settings),
        "claims": judge(measured, _start(configs[LATE])),
        "search": dict(searched),
        "opening": dict(opening),
        "data": {**asdict(description), "examples": description.examples._asdict()},
        "cost": {"fits": len(networks), "seconds": round(sum(fit.seconds for fit in networks), 1)},
        "made": {**commit(), "versions": versions()},
        "machine": describe_machine(),
    }
    labels: dict[tuple[Path, ...], str] = {}
    for name, own in fits.items():
        key = tuple(fit.folder for fit in own)
        labels[key] = f"{labels[key]} = {BY_NAME[name].label}" if key in labels else BY_NAME[name].label
    histories = {labels[tuple(fit.folder for fit in own)]: measured[name].histories for name, own in fits.items()}
    return Results(record, histories)


def _start(config: Config) -> int:
    assert config.callbacks.early_stopping is not None
    return config.callbacks.early_stopping.start_from_epoch
