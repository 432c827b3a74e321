"""What a study is to do: made once everything has been checked that can be checked before the first trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from ridgeline.checking import build, require
from ridgeline.command_line.arguments import check_override, parse_overrides, typed_keys
from ridgeline.command_line.composed import as_typed
from ridgeline.command_line.outputs import require_writable
from ridgeline.config import Config, SearchConfig, parse
from ridgeline.config.idle import idle_keys, refuse_idle
from ridgeline.data import DataDescription
from ridgeline.quoting import setting
from ridgeline.search import identity, pruning, sampling
from ridgeline.search.commandline import CommandLine, read
from ridgeline.search.repeats import searched
from ridgeline.search.start import left_of_enqueue
from ridgeline.search.storage import check_storage
from ridgeline.search.trees import Trees
from ridgeline.search.validation import check_limits, check_values
from ridgeline.target import TARGET
from ridgeline.trial.requirements import asks_torch, check_surroundings, check_trainer

ENQUEUE = "search.enqueue"


@dataclass(frozen=True)
class Plan:
    """What a study is to do.

    `config`: the configuration of the first combination of groups. `trees`: where each trial's comes from.
    `structural`: the swept keys that change more than batchable hyperparameters. `line`: the command line.
    `definition`: what makes it the same study as another. `own_code`: the text of the user's own source files, by name.
    `n_trials`: how many trials it shall have. `grid`: the combinations to try; None if a sampler draws.
    """

    name: str
    config: Config
    trees: Trees
    structural: list[str]
    line: CommandLine
    definition: dict[str, Any]
    own_code: dict[str, str]
    data: DataDescription
    n_trials: int
    grid: list[dict[str, Any]] | None


def make_plan(context: HydraContext, master: DictConfig, typed: Sequence[str], arguments: Sequence[str]) -> Plan:
    """Check everything that can be checked before the first trial; nothing is written.

    Without torch, unless only torch can tell: so the user reads in the first second or two what the study will do.
    `typed`: what the user typed; `arguments`: what that was made of before any trial, with values that files refer to.
    """
    loader, arguments = context.config_loader, _with_threads(master, arguments)
    for override in parse_overrides([*as_typed(master.hydra.overrides.hydra), *arguments]):
        check_override(override)
    search: SearchConfig = build(SearchConfig, OmegaConf.to_container(master.search, resolve=True), "search")
    identity.check_name(search.study_name)
    grid = search.sampler is None
    line = read(arguments, search.params, loader, master, grid=grid, seed=search.seed)
    line = _with_first_trials(line, search)
    checked = check_values(line, loader, master, grid=grid)
    refuse_idle(typed_keys(typed), checked.idle)
    _refuse_choices_of_a_search(search, typed)
    line = replace(line, idle_in=lambda params: idle_keys(parse(checked.trees.of(params).tree)))
    config = parse(checked.trees.first)
    check_limits(config, line, grid=grid)
    if not grid:
        sampling.rehearse(search, searched(line.space))
    if search.pruner is not None:
        pruning.rehearse(search.pruner, config.direction)
    data = [check_surroundings(one) for one in checked.by_data]
    described = {one.data: found for one, found in zip(checked.by_data, data, strict=True)}
    for one in checked.by_size:
        check_trainer(one, described[one.data])
    check_storage(config)
    require_writable(config.search.summary, "search.summary", csv=True)
    for one in checked.by_size:
        if asks_torch(one):
            _check_device(one)
    defined = identity.definition(checked.trees.defined, config, line.space, [d.hash for d in data], checked.own_code)
    names: dict[str, list[str]] = {
        "data": list(dict.fromkeys(one.data.title for one in checked.by_data)),
        "network": checked.networks,
    }
    combinations = sampling.combinations(line.space) if grid else None
    goal = search.n_trials or len(combinations or [])
    return Plan(
        name=identity.study_name(config, defined, names),
        config=config,
        trees=checked.trees,
        structural=checked.structural,
        line=line,
        definition=defined,
        own_code=checked.own_code,
        data=data[0],
        n_trials=goal if combinations is None else min(goal, len(combinations)),
        grid=combinations,
    )


def _check_device(config: Config) -> None:
    """Where that is a GPU, in a process that ends then."""
    from ridgeline.stack.device import pick_device
    from ridgeline.trial.requirements import check_device

    if pick_device(config).type == "cpu":
        check_device(config)
    else:
        from ridgeline.processes import ask

        ask(check_device, config)


def _with_threads(master: DictConfig, arguments: Sequence[str]) -> list[str]:
    """Of a module of the user's own a trial says how many threads it has, one in a worker: sums over more end in other
    digits, and the command that trains it again must end in the same."""
    key = "trainer.num_threads"
    is_own = OmegaConf.select(master, f"model.{TARGET}") is not None
    return [*arguments, f"++{key}=1"] if is_own and key not in typed_keys(arguments) else list(arguments)


def _with_first_trials(line: CommandLine, search: SearchConfig) -> CommandLine:
    """What a file's `search.enqueue` tries first is fitted to what is typed, which no command need say again."""
    keys = typed_keys(line.start.typed)
    left = search.enqueue if ENQUEUE in keys else left_of_enqueue(search, line.space, keys)
    return line if left is search.enqueue else replace(line, fixed=(*line.fixed, setting(f"++{ENQUEUE}", left)))


def _refuse_choices_of_a_search(search: SearchConfig, typed: Sequence[str]) -> None:
    """Refuse search/sampler=gp and search/pruner=median without a search: search=grid sets them to null."""
    keys = typed_keys(typed)
    for part in ("sampler", "pruner"):
        key, chosen = f"search.{part}", keys.get(f"search.{part}", [])
        ignored = search.name == "grid" and getattr(search, part) is None and chosen not in ([], ["none"])
        require(not ignored, f"search in {{bayes, random}} where search/{part} is chosen", key, ",".join(chosen))
