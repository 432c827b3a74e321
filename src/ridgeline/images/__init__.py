"""Images in files: which there are, what is in them, and their pixels as bytes. NumPy and Pillow alone."""
