"""What comes after a search: does regularization help, and what does the study look like? Studies are only read."""
