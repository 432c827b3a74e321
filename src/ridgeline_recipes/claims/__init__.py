"""What is taught about regularization, put to the test: a measured line and pictures for each claim, from real runs."""
