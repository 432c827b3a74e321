"""Command lines drawn at random: small valid studies over all groups and keys."""

from __future__ import annotations

from random import Random

DATA = ("wine", "breast_cancer", "moons", "digits")
SWEPT = {
    "seed": ("1", "2", "3"),
    "optimizer.lr": ("1e-3", "1e-2", "0.03"),
    "regularization.l2": ("0", "1e-3", "0.1"),
    "regularization.l1": ("0", "1e-3", "0.01"),
    "regularization.input_dropout": ("0", "0.2", "0.5"),
    "regularization.input_noise": ("0", "0.1", "0.5"),
    "network.hidden": ("[5]", "[16]", "[9,4]"),
    "trainer.batch_size": ("17", "32", "null"),
    "data.standardize": ("none", "feature", "all"),
    "regularization": ("none", "l2", "max_norm"),
}


def draw_valid(draw: Random) -> list[str]:
    """The arguments of a study of two or three trials."""
    key = draw.choice(list(SWEPT))
    fixed = draw_fixed(draw, key)
    if key == "network.hidden" and "network=softmax" in fixed:
        key = "seed"
    values = draw.sample(SWEPT[key], draw.choice((2, 3)))
    if key == "network.hidden":
        fixed = [word for word in fixed if not word.startswith("network.hidden=")]
    return [f"{key}={','.join(values)}", *fixed]


def draw_fixed(draw: Random, swept: str) -> list[str]:
    """What is the same in all trials of a study that sweeps this key."""
    words: dict[str, object] = {"data": draw.choice(DATA), "trainer.max_epochs": (epochs := draw.choice((1, 2, 3)))}
    words["data.examples"] = draw.choice((60, 101))
    words["trainer.batch_size"] = draw.choice(("null", 7, 32, 64))
    words["data.seed"] = draw.randrange(5)
    if draw.random() < 0.3:
        words["data.folds"] = draw.choice((2, 3))
    if draw.random() < 0.5:
        words["data.standardize"] = draw.choice(("none", "feature", "all"))
    hidden = _network(draw, words)
    _optimizer(draw, words)
    _regularization(draw, words, hidden=hidden)
    if draw.random() < 0.3:
        words["loss"] = "hinge"
        words.pop("regularization.label_smoothing", None)
    if epochs > 1:
        _schedules(draw, words, epochs)
    if draw.random() < 0.3:
        words["trainer.restore_best"] = "false"
    if swept == "regularization":
        words = {key: value for key, value in words.items() if not key.startswith(("regularization", "callbacks"))}
    return [f"{key}={value}" for key, value in words.items() if key != swept]


def _network(draw: Random, words: dict[str, object]) -> bool:
    if draw.random() < 0.2:
        words["network"] = "softmax"
        return False
    words["network.hidden"] = draw.choice(("[3]", "[16]", "[1]", "[31]", "[8,5]", "[16,16]"))
    words["network.activation"] = draw.choice(("relu", "tanh", "sigmoid"))
    if words["data"] in ("breast_cancer", "moons") and draw.random() < 0.5:
        words["network.output"] = "sigmoid"
    return True


def _optimizer(draw: Random, words: dict[str, object]) -> None:
    name = draw.choice(("adam", "adamw", "sgd"))
    words |= {"optimizer": name, "optimizer.lr": draw.choice((0.001, 0.01, 0.05))}
    if name == "sgd":
        words["optimizer.momentum"] = draw.choice((0.0, 0.5, 0.9))
        words["optimizer.nesterov"] = "true" if words["optimizer.momentum"] and draw.random() < 0.5 else "false"
    elif draw.random() < 0.3:
        words["optimizer.eps"] = 1e-6
    if name == "adamw":
        words["optimizer.weight_decay"] = draw.choice((0.0, 0.1))
    if draw.random() < 0.2:
        words["optimizer.gradient_clip_val"] = 0.5


def _regularization(draw: Random, words: dict[str, object], *, hidden: bool) -> None:
    amounts = {"l1": 1e-3, "l2": 0.01, "max_norm": 1.5, "input_dropout": 0.2, "input_noise": 0.1, "mixup": 0.3}
    amounts |= {"label_smoothing": 0.1, "weight_average": 0.9}
    if hidden:
        amounts |= {"dropout": 0.3, "dropconnect": 0.2, "group_lasso": 1e-3}
    on = {name: amount for name, amount in amounts.items() if draw.random() < 0.25}
    words |= {f"regularization.{name}": amount for name, amount in on.items()}
    if hidden and {"l1", "l2", "max_norm"} & set(on) and draw.random() < 0.4:
        words["regularization.penalize"] = "hidden"
    if {"l1", "group_lasso"} & set(on) and draw.random() < 0.4:
        words["regularization.l1_form"] = "subgradient"
    if words["data"] == "digits" and words.get("data.standardize") in ("none", "all") and draw.random() < 0.6:
        words |= {"augmentation.rotate": 10, "augmentation.erase": 0.5}


def _schedules(draw: Random, words: dict[str, object], epochs: int) -> None:
    if draw.random() < 0.4:
        words["lr_schedule"] = draw.choice(("cosine", "step"))
        if words["lr_schedule"] == "step":
            words["lr_schedule.step_size"] = 1
    chosen = ["early_stopping"] if draw.random() < 0.5 else []
    if "regularization.dropout" in words and draw.random() < 0.5:
        chosen.append("dropout_schedule")
        words["callbacks.dropout_schedule.epochs"] = epochs - 1
    if "regularization.l2" in words and draw.random() < 0.5:
        chosen.append("penalty_schedule")
        words["callbacks.penalty_schedule.name"] = draw.choice(("linear", "curriculum"))
    words["callbacks"] = f"[{','.join(chosen)}]"
    if "early_stopping" in chosen:
        words["callbacks.early_stopping.patience"] = 1
