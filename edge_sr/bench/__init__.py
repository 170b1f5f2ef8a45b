"""``edge-sr bench``: what every variant costs and what it is worth, side by side in one run."""
