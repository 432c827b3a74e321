"""Command lines with one mistake, drawn at random."""

from __future__ import annotations

from random import Random

from drawing import draw_fixed

NUMBERS = """
optimizer.lr optimizer.eps optimizer.gradient_clip_val data.train data.validation trainer.checkpoint_interval
regularization.l1 regularization.l2 regularization.group_lasso regularization.max_norm regularization.dropout
regularization.input_dropout regularization.dropconnect regularization.input_noise regularization.label_smoothing
regularization.mixup regularization.weight_average augmentation.rotate augmentation.scale augmentation.shift
augmentation.flip augmentation.crop augmentation.brightness augmentation.contrast augmentation.erase
"""
COUNTS = "seed data.seed trainer.max_epochs trainer.batch_size trainer.num_threads data.folds data.examples"
GROUPS = "data network loss regularization augmentation optimizer lr_schedule trainer tracking search"
OTHERS = """
callbacks=5
callbacks=null
callbacks=[early_stopping,early_stopping]
callbacks=nope
callbacks.nope=1
trial.number=3
++trial.study=x
~seed
~trainer.max_epochs
study=mine
report=x.html
confirm.seeds=3
network.name=softmax
data.name=wine
optimizer.name=sgd
lr_schedule.name=step
nope=1
+nope=1
hydra.sweep.dir=x
++hydra.sweep.subdir=y
hydra.job.num=3
hydra.verbose=5
hydra.nope=1
runs=
runs=/proc/x
network.hidden=[0]
network.hidden=3
network.hidden=null
network.hidden=[1.5]
alone search.n_trials=3
alone search=bayes
alone hydra.launcher.workers=2
alone hydra/launcher=basic
metric=val/accuracy
debug=nope
experiment=nope
tracking.uri=ftp://x
trainer.ckpt_path=/nowhere.ckpt
-m hydra.launcher.stack_size=nope
-m hydra.run.dir=x
-m search=bayes regularization.l2=interval(1,0)
-m search=bayes seed=interval(1,9) search.n_trials=4
-m search=bayes search/sampler=nope
-m search=bayes search.sampler=3
-m search=bayes search.enqueue=[{regularization.l2:7}]
-m search=bayes search.n_trials=0
-m search=bayes search.storage=nope://x
-m search.study_name=a/b
-m regularization.l2=interval(0,1)
-m regularization.l2=0,0
-m regularization.l2=${hydra:job.num},3
-m network=mlp,nope
lr_schedule=step lr_schedule.step_size=9 trainer.max_epochs=9
optimizer=adam +optimizer.momentum=0.9
optimizer=sgd +optimizer.eps=1e-3
data=moons data.noise=inf
data=wine +data.root=/x
data=mnist data.root=/nowhere
""".strip().splitlines()
MISTAKES = [
    *(
        f"{key}={value}"
        for key in NUMBERS.split()
        for value in ("nan", "inf", "-1", "much", "true", "[1,{b:2}]", "${nothing}")
    ),
    *(
        f"{key}={value}"
        for key in COUNTS.split()
        for value in ("-1", "1.5", "1e12", "many", "[1]", "${oc.env:NOTHING}")
    ),
    *(f"{group}={value}" for group in GROUPS.split() for value in ("nope", "null", "5", "[a,b]", "{name:a}", "")),
    *OTHERS,
    *OTHERS,
]
"""`-m` begins what only a study can be given, `alone` what only a single run refuses."""


def draw_mistaken(draw: Random) -> list[str]:
    """The arguments of a run or a study with one mistake."""
    mistake = draw.choice(MISTAKES).split()
    keys = {word.lstrip("+~").partition("=")[0] for word in mistake}
    chosen = [key for key in keys if "." not in key]  # another file of the group has other keys
    fixed = [word for word in draw_fixed(draw, "") if not _is_about(word, [*keys, *(f"{key}." for key in chosen)])]
    multirun = mistake[0] == "-m" or (mistake[0] != "alone" and draw.random() < 0.5)
    sweep = [] if "seed" in keys else [f"seed={draw.randrange(9)},{draw.randrange(9, 19)}"]
    own = [word for word in mistake if word not in ("-m", "alone")]
    return [*(["-m", *sweep] if multirun else []), *fixed, *own]


def _is_about(word: str, keys: list[str]) -> bool:
    key = word.partition("=")[0]
    return any(key == known or (known.endswith(".") and key.startswith(known)) for known in keys)
