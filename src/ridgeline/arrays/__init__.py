"""Arrays in files as examples: NumPy's .npz and .npy, tensors of torch, the IDX files of MNIST. No pickle is opened."""
