"""Finds how much regularization a neural network needs, and proves it."""
