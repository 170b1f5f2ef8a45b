"""From a bundle's networks to what a device runs: one composed graph, later its engines."""
