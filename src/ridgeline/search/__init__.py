"""A study: trials asked of Optuna, launched through Hydra, told back, and gone on with after any stop.

`study.run` is the way in. Before the first trial: the command line and its grammar (commandline, space, references),
the configuration of any trial (trees), what is refused (validation, plan), the name (identity), the folder, its holder
and its storage (folder, holder, storage). While trials run: the draws (start, sampling, repeats), the trials asked for
and told back (ask_tell), trained as jobs (loop) or in worker processes (sources, streaming), pruned (pruning), ranked
(ranking). Besides: what is written (records, results), what is shown (progress, summary), and what a killed process
left (resume). None of it is imported for `--help`.
"""
