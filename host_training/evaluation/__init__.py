"""What ``edge-sr-host evaluate`` measures, and how the figures are told. Runs without torch."""
