"""A study: trials asked of Optuna, launched through Hydra, told back, and gone on with after any stop.

`study.run` is the way in; the parts are the command line and its grammar (commandline, space), what is refused before
anything is written (validation), the configuration of any trial (trees), the name (identity), the folder and its
storage (folder), the draws (sampling), the trials asked for and told back (ask_tell), trained as jobs (one_by_one) or
in worker processes (streaming, sources), what is written (results, records), what is shown (table, progress), and what
a killed process left (resume). None of it is imported for `--help`.
"""
