"""Evaluation of models on pictures with ground truth: reading the truth, measuring, and output."""
