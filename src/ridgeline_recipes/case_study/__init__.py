"""A tutorial's comparison of seven ways to regularize, which ran each once, run again over seeds with intervals."""
