"""What the device is given: bundles, checked file by file before anything in them is used."""
