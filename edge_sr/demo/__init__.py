"""A page in the browser that shows before and after: ``edge-sr demo``."""
