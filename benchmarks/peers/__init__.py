"""The systems of others, built as published, with random weights where only their time matters."""
