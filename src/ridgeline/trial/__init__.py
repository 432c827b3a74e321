"""One trial: what it needs of the machine, its training, its run in MLflow, its files."""
