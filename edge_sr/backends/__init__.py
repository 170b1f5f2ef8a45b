"""What runs a network: one module a backend, each behind the two protocols of ``base``."""
