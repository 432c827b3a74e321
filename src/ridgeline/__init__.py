"""Finds how much regularization a neural network needs, and proves it."""

import os

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
"""Set before the first product of this process and of its workers. MKL then rounds a product alike wherever its
matrices lie in memory, which differs between a fit alone and one in a stack (docs/decisions/0016)."""
