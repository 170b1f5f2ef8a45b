"""The ranges of activations: observed, refined by their effect, kept as tables, and found again for a build."""
