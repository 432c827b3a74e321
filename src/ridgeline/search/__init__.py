"""A study: trials asked of Optuna, launched through Hydra, told back, and gone on with after any stop.

`study.run` is the way in. Before the first trial: the command line and its grammar (commandline, space, references),
the configuration of any trial (trees), what is refused (validation, plan), the name (identity), the folder, its holder
and its storage (folder, holder, storage). While trials run: the draws (start, sampling, repeats), the trials asked for
and told back (ask_tell), trained as jobs (loop) or in worker processes (sources, streaming), pruned (pruning), ranked
(ranking). Besides: what is written (records, results), what is shown (progress, summary), and what a killed process
left (resume). None of it is imported for `--help`.

`ridgeline.search(frame, target="churn")` runs a study from Python (`ridgeline.api.studies.search`): this package has
the same name, and so it can be called.
"""

import inspect
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package, which `ridgeline.search` is as soon as anything of it was imported."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        return sys.modules["ridgeline"].public("search")(*given, **named)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(sys.modules["ridgeline"].public("search"))


sys.modules[__name__].__class__ = _Callable
