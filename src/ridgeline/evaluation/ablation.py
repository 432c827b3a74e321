"""Which regularizers earn their place: the best network without each of its regularizers, and with each alone.

Decision 0050 says what is compared with what.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ridgeline.config import Config, ConfirmConfig
from ridgeline.evaluation import candidates as choosing
from ridgeline.evaluation.ablation_words import (
    EARNS,
    HARMS,
    HELPS,
    NOT_SHOWN,
    NOTHING_ON,
    ONE_ON,
    WITHOUT,
    cost_in_words,
    summary_of,
)
from ridgeline.evaluation.arms import BASELINE, BEST, Arm, compare, compare_by_seeds, retrain_each
from ridgeline.evaluation.baseline import DROPOUT, has_own_dropout, regularizers, with_only
from ridgeline.evaluation.candidates import Candidate, Trainer
from ridgeline.evaluation.measuring import Measured, Measuring
from ridgeline.evaluation.opened import Opened
from ridgeline.evaluation.statistics import LEVEL, Sample, holm
from ridgeline.evaluation.verdict import LEAST

Kind = Literal["without", "alone"]


@dataclass(frozen=True)
class Variant:
    """A network of the ablation. `of`: what it is for, by kind and key; one network may be two of them, for without one
    of two regularizers the other is alone. `candidates`: with the other settings of the best network, and with those of
    the baseline, whose learning rate suits less regularization."""

    name: str
    of: list[tuple[Kind, str]]
    candidates: list[Candidate]


@dataclass(frozen=True)
class LeftOut:
    """The networks of an ablation, trained. `values`: the regularizers, by key. `arms` by name; `names` of those that
    answer a question; `settings`: whose other settings a network has, best or baseline; `failed`: why there is none."""

    values: dict[str, Any]
    names: dict[tuple[Kind, str], str]
    arms: dict[str, Arm]
    settings: dict[str, str]
    failed: dict[str, str]
    fits: int


def strengths_in(config: Config) -> dict[str, Any]:
    """What is left out, one by one: all that the baseline has off, apart from schedules, which act through it."""
    return {key: value for key, value in regularizers(config).items() if not key.startswith("callbacks.")}


def variants(best: Candidate, baseline: Candidate) -> list[Variant]:
    """The networks that are compared. None where they would be those of the verdict: of one regularizer the baseline is
    what is left without it."""
    values, own = strengths_in(best.config), has_own_dropout(best.config)
    if not values or (len(values) == 1 and not own):
        return []
    found: dict[Config, Variant] = {}
    for key in values:
        others = {*values, *([DROPOUT] if own else [])} - {key}
        questions: list[tuple[Kind, set[str]]] = [("without", others), ("alone", {key})]
        for kind, kept in questions:
            configs = [with_only(best.config, kept), with_only(best.config, kept, baseline.config)]
            if configs[0] not in found:
                tried = [Candidate(config, None, {}, None) for config in dict.fromkeys(configs)]
                found[configs[0]] = Variant(f"{kind} {key}", [], tried)
            found[configs[0]].of.append((kind, key))
    return list(found.values())


def leave_one_out(
    best: Candidate,
    baseline: Candidate,
    settings: ConfirmConfig,
    fresh: Sequence[int],
    seeds: list[int],
    trainer: Trainer,
    bar: Any,
    say: Callable[[str], None],
) -> LeftOut:
    """Train the networks as the two of the verdict were: chosen by new seeds on validation, then retrained. `say` gets
    how many fits it takes before the first of them trains."""
    asked = variants(best, baseline)
    tried = [candidate for variant in asked for candidate in variant.candidates]
    fits = len(tried) * len(fresh) + len(asked) * len(seeds)
    values, failed = strengths_in(best.config), dict[str, str]()
    if asked:
        say(cost_in_words(len(values), len(asked), fits, settings.selection_seeds, settings.seeds))
    bar.total += fits
    bar.set_description("regularizers: left out, and alone")
    evaluated = iter(trainer.evaluate(tried, fresh, "the best with regularizers left out") if tried else [])
    chosen: dict[str, Candidate] = {}
    for variant in asked:
        own = [next(evaluated) for _ in variant.candidates]
        if any(candidate.results for candidate in own):
            chosen[variant.name] = choosing.ranked(own)[0]
        else:
            failed[variant.name] = trainer.lost[-1].reason
    bar.set_description("retraining them")
    arms: dict[str, Arm] = {}
    asked_of = [(candidate, seeds) for candidate in chosen.values()]
    for name, arm in zip(chosen, retrain_each(asked_of, trainer.workers, bar.update), strict=True):
        if isinstance(arm, Arm):
            arms[name] = arm
        else:
            failed[name] = arm
    names = {question: variant.name for variant in asked for question in variant.of}
    firsts = {variant.name: variant.candidates[0].config for variant in asked}
    whose = {name: BEST if one.config == firsts[name] else BASELINE for name, one in chosen.items()}
    return LeftOut(values, names, arms, whose, failed, fits)


def describe_ablation(left: LeftOut, opened: Opened, measuring: Measuring) -> dict[str, Any]:
    """As `confirm.json` stores it: what each regularizer gains, with intervals, and p-values that are adjusted for the
    number of all comparisons (Holm). A gain is positive where the network with the regularizer is the better one.
    """
    rows: dict[str, dict[str, Any]] = {key: {"key": key, "value": value} for key, value in left.values.items()}
    found: list[tuple[Kind, dict[str, Any], float]] = []
    for (kind, key), name in left.names.items():
        if name not in left.arms:
            rows[key][kind] = {"failed": left.failed[name]}
            continue
        it = opened.beside[name]
        less, more = (it, opened.measured[BEST]) if kind == WITHOUT else (opened.measured[BASELINE], it)
        epochs = left.arms[name].config.trainer.max_epochs
        rows[key][kind] = {
            "gain": gain_of(less, more, measuring, opened.sample),
            "test": _value(it, measuring, opened.sample),
            "settings_of": left.settings[name],
            **({"epochs": epochs} if left.arms[name].config.model is None else {}),
        }
        least = 0.0 if measuring.figure == "error" else LEAST * abs(_value(less, measuring, opened.sample))
        found.append((kind, rows[key][kind], least))
    for (kind, own, least), adjusted in zip(found, holm([own["gain"]["p_value"] for _, own, _ in found]), strict=True):
        own |= {"adjusted_p": adjusted, "word": word_of(kind, own["gain"], adjusted, least)}
    regularizers = list(rows.values()) if left.names else []
    said = summary_of(regularizers) if regularizers else ONE_ON if left.values else NOTHING_ON
    return {"sentence": said, "regularizers": regularizers, "comparisons": len(found), "fits": left.fits}


def gain_of(less: Measured, more: Measured, measuring: Measuring, sample: Sample) -> dict[str, Any]:
    """How much better the figure of `more`, the network with the regularizer, is: paired over seeds and examples."""
    if measuring.by_seeds:
        pair = (more, less) if measuring.larger_is_better else (less, more)
        found: dict[str, Any] = compare_by_seeds(*pair, measuring.figure)[measuring.figure]
    else:
        found = compare(less, more, measuring.figure, sample)[measuring.figure]
    return found


def word_of(kind: Kind, gain: Mapping[str, float], adjusted_p: float, least: float = 0.0) -> str:
    """What may be said. It takes both the interval and the adjusted p-value, and a gain of `least`, which in regression
    is a share of the figure, as in a verdict."""
    is_shown = adjusted_p < 1 - LEVEL and not gain["low"] <= 0 <= gain["high"] and abs(gain["mean"]) >= least
    better = EARNS if kind == WITHOUT else HELPS
    return NOT_SHOWN if not is_shown else better if gain["mean"] > 0 else HARMS


def _value(measured: Measured, measuring: Measuring, sample: Sample) -> float:
    """The figure on the test split."""
    mean = float(measured.errors_SN.mean()) if measuring.by_seeds else sample.mean(measured.errors_SN)
    return math.sqrt(mean) if measuring.figure == "rmse" else mean
