"""The implementation of `imgai train`: data sets, the training loop, and its results."""
