"""A study: trials asked of Optuna, launched through Hydra, told back, and gone on with after any stop.

`study.run` is the way in; the parts are the command line and its grammar (commandline, space), what is refused before
anything is written (validation), the configuration of any trial (trees), the name (identity), the folder and its
storage (folder), the draws (sampling), one job (job) or trials in worker processes (streaming: flow or batches,
open_trials), what is written (results, records), what is shown (table, progress). None of it is imported for `--help`.
"""
