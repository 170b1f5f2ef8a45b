"""Training, evaluation and export on a host with PyTorch; what leaves here is a bundle."""
