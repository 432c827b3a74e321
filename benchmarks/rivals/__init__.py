"""Ways to train the same trials, each in processes of its own. Importing this package imports none of them."""
