"""Pictures: reading, writing, cutting into tiles, and what may be said about them."""
