"""What tutorials teach about regularization, put to the test by programs that use Ridgeline's public names alone."""
