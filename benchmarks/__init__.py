"""What edge-sr is measured against; the scripts here run from a checkout and are not installed."""
