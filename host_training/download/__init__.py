"""Chosen archives of a published data set: fetched, verified, unpacked into one folder."""
