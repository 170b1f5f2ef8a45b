"""Which convolutions suffer from INT8, alone and in a candidate that failed."""
