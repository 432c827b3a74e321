"""What the sources teach about regularization, as programs that use nothing of Ridgeline but its public names."""
