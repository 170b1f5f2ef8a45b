"""``edge-sr device-check``: everything that is to be known of one machine, measured once, in one file to send back."""
