"""Noise schedules, samplers as coefficient tables, and positional noise: numpy only."""
