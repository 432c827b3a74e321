"""The card of a champion, in Markdown: what it is, how it was chosen and measured, its limits, how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.command_line.numbers import LEAST_WHOLE, digits, number
from ridgeline.tasks.figures import BESIDE, larger_is_better, title

PREDICTED = {
    "classification": "The probabilities are the softmax of the network's outputs, not calibrated any further.",
    "regression": "The predictions are in the targets' own unit, without an interval of their own.",
}

TRAINED = {
    False: "Trained on the train and the validation split; the standardization is part of the model.",
    True: "Trained on the train split alone, for the validation split chose the epoch.",
}
"""By whether it is a LightningModule of the user's own."""

TAKEN = {
    "other": "An example must have the features of the data set in their order, not standardized.",
    "images": "An example must have the pixels of an image as bytes, from 0 to 255, one channel after the other, in the"
    " size of those that it was trained on; pipelines/predict.py takes the files.",
    "table": "A row must have the columns of the table as they are in its file, in any order; others are ignored. A"
    " value may be missing, and a category unknown.",
}
"""What a model takes, by what it is of."""

MOST_NAMES = 30
"""Of classes, that the card lists."""

Table = list[tuple[str, ...]]


def champion_card(name: str, confirmed: Mapping[str, Any], space: Mapping[str, str], tally: Mapping[str, int]) -> str:
    """`name`: of the registered model. `confirmed`: what confirm found, as in confirm.json. `space`: what was searched,
    by key. `tally`: how many trials ended in which state.
    """
    best, study = confirmed["arms"]["best"], confirmed["study"]
    parts = [
        f"# {name}\n\n{confirmed['verdict']['sentence']}",
        _measured(confirmed),
        _data(confirmed),
        _chosen(study, confirmed, space, tally),
        *_ensemble(confirmed),
        _limits(confirmed, best),
        _use(name, confirmed["data"]["features"], confirmed["task"], _of_table(confirmed)),
    ]
    return "\n\n".join(parts) + "\n"


def _of_table(confirmed: Mapping[str, Any]) -> bool:
    return _name(confirmed) == "table"


def _name(confirmed: Mapping[str, Any]) -> str:
    return str(confirmed["arms"]["best"]["config"]["data"]["name"])


def _of_module(confirmed: Mapping[str, Any]) -> bool:
    return confirmed["arms"]["best"]["config"].get("model") is not None


def _measured(confirmed: Mapping[str, Any]) -> str:
    arms, figure = [confirmed["arms"][name] for name in ("best", "baseline")], confirmed["figure"]
    best, is_share = arms[0], figure == "error"
    rows: Table = [("on the test split", "champion", "baseline")]
    rows += [
        (title(figure), *(_interval(arm["test"][figure], percent=is_share) for arm in arms)),
        ("loss", *(_interval(arm["test"]["loss"]) for arm in arms)),
    ]
    for key, what in BESIDE.items():
        if key in best["test"]:
            rows.append((what, *(f"{arm['test'][key]:.4f}" for arm in arms)))
    rows.append(("gap: test loss - train loss", *(_interval(arm["gap"]) for arm in arms)))
    error, groups = confirmed["difference"][figure], confirmed["difference"].get("groups")
    of = "" if groups is None else f"{groups} groups of "
    shown = _points(error) if is_share else _interval(error)
    return "\n".join(
        [
            _markdown(rows),
            "",
            f"Means over {len(best['seeds'])} seeds, with 95% intervals over seeds and {of}test examples. Champion - "
            f"baseline: {title(figure)} {shown}, p = {error['p_value']:.3g}"
            f" ({confirmed['difference']['test']}).{_off(confirmed['off'])}",
        ]
    )


def _off(off: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{key}={number(value)}" for key, value in off.items())
    return f" The baseline is the champion's without {shown}." if off else " The two are the same network."


def _data(confirmed: Mapping[str, Any]) -> str:
    data, examples = confirmed["data"], confirmed["data"]["examples"]
    names = ", ".join(data.get("class_names", ())[:MOST_NAMES])
    more = ", ..." if data["classes"] > MOST_NAMES else ""
    called = f" ({names}{more}: the columns of the answer in their order)" if names else ""
    classes = f", {data['classes']} classes{called}" if confirmed["task"] == "classification" else ""
    return (
        f"## Data\n\n{data['name']}, SHA-256 `{data['hash']}`: {examples['train']} train, {examples['validation']}"
        f" validation and {examples['test']} test examples, {data['features']} features{classes}."
        f" {TRAINED[_of_module(confirmed)]}"
    )


def _chosen(study: str, confirmed: Mapping[str, Any], space: Mapping[str, str], tally: Mapping[str, int]) -> str:
    best, settings = confirmed["arms"]["best"], confirmed["settings"]
    is_up = confirmed.get("direction", "maximize" if larger_is_better(confirmed["metric"]) else "") == "maximize"
    aim = "maximized" if is_up else "minimized"
    rows: Table = [("searched", "in", "champion")]
    keys = dict.fromkeys([*space, *best["params"]])
    rows += [(key, space.get(key, "-"), number(best["params"].get(key, "-"))) for key in keys]
    counts = ", ".join(f"{count} {state}" for state, count in tally.items())
    trials = f"{sum(tally.values())} trials ({counts})" if tally else "its trials"
    return "\n".join(
        [
            f"## How it was chosen\n\nThe study {study} {aim} {confirmed['metric']} over {trials}. Its best"
            f" {settings['top']} were trained again with {_count(settings['selection_seeds'])} new seeds each; trial"
            f" {best['trial']} was best in the mean, and was trained for {best['epochs']} epochs. Its network has"
            f" {best['parameters']:,} parameters.",
            "",
            _markdown(rows),
        ]
    )


def _ensemble(confirmed: Mapping[str, Any]) -> list[str]:
    """Of what networks the champion is the mean, where it is one."""
    own = members_of(confirmed)
    if not own:
        return []
    validation = confirmed["ensemble"]["sides"]["best"]["validation"]
    rows: Table = [("trial", "share", "epochs", "settings")]
    for one in own:
        shown = ", ".join(f"{key}={number(value)}" for key, value in one["params"].items())
        rows.append((str(one["trial"]), f"{one['share']:.0%}", number(one["epochs"]), shown))
    return [
        "\n".join(
            [
                f"## The ensemble\n\nThe champion is the mean of {len(own)} networks, selected among the"
                f" {validation['candidates']} best trials by the {validation['by']} on validation examples and trained"
                f" again. {' '.join(confirmed['ensemble']['sentences'])} The figures above are of one network.",
                "",
                _markdown(rows),
            ]
        )
    ]


def members_of(confirmed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The members of the ensemble that is the champion; none where it is one network: one that was selected alone is no
    mean, and the winner of the verdict is more surely the best."""
    ensemble = confirmed.get("ensemble", {})
    if "best" not in ensemble.get("sides", {}) or ensemble["words"]["best"] == "harms":
        return []
    members: list[Mapping[str, Any]] = ensemble["sides"]["best"]["members"]
    return members if len(members) > 1 else []


def _limits(confirmed: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    opening, made = confirmed["opening"], confirmed["made"]
    examples, name = confirmed["data"]["examples"]["test"], confirmed["data"]["name"]
    again = "The choice may have been led by them, for they were looked at before"
    flatters = "" if opening["number"] == 1 else f" {again}, {_times(opening['number'] - 1)}."
    commit = f"commit {made['commit'] or 'unknown'}" + (" with changes that are not committed" if made["dirty"] else "")
    lines = [
        f"Measured on {examples} examples of {name} that took no part in training or search.{flatters} It says nothing"
        " about other data.",
        f"The numbers are means over {len(best['seeds'])} seeds. {_whose(confirmed, best)}",
        PREDICTED[confirmed["task"]],
        TAKEN.get(_name(confirmed), TAKEN["other"]),
        f"Made by {commit}.",
    ]
    if best["config"]["loss"]["name"] == "hinge" and not _of_module(confirmed):
        lines.insert(2, "It was trained on the hinge loss, so its outputs are scores, and no likelihoods.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _whose(confirmed: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    if members_of(confirmed):
        return "These are the weights of one network each of its members, the first of their seeds."
    return f"These are the weights of one of them, seed {best['seeds'][0]}."


def _use(name: str, features: int, task: str, of_table: bool) -> str:
    answer = "probabilities" if task == "classification" else "numbers"
    call = f"{answer} = model.predict(x)  # any numbers, an array or a DataFrame, (examples, {features})"
    body = '{"inputs": [[...]]}'
    if of_table:
        call = f"{answer} = model.predict(frame)  # a pandas DataFrame with the columns of the table"
        body = '{"dataframe_records": [{"COLUMN": VALUE, ...}]}'
    return f"""## Load and serve

With `MLFLOW_TRACKING_URI` set to the store that this model is in:

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{name}@champion")
{call}
```

```
mlflow models serve -m models:/{name}@champion --env-manager local --port 5001
curl -H 'Content-Type: application/json' -d '{body}' http://127.0.0.1:5001/invocations
```"""


def _markdown(rows: Table) -> str:
    head, *body = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _interval(estimate: Mapping[str, float], *, percent: bool = False) -> str:
    mean, low, high = (f"{estimate[key]:.2%}" if percent else _stated(estimate[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _stated(value: float) -> str:
    return digits(value) if abs(value) >= LEAST_WHOLE else f"{value:.4f}"


def _points(estimate: Mapping[str, float]) -> str:
    mean, low, high = (f"{100 * estimate[key]:+.2f}" for key in ("mean", "low", "high"))
    return f"{mean} points ({low} to {high})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _count(value: Any) -> int:
    """How many, of a number or of a list."""
    return value if isinstance(value, int) else len(value)
