"""The parts of benchmarks/tables.py: tables and their splits, methods, figures."""
