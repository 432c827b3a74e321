"""Tables: files are read, columns understood and encoded as numbers; knows nothing of Hydra and torch."""
