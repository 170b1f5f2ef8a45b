"""Which range each activation of a composed graph takes: observed while the sampler runs, chosen, kept in a table."""
