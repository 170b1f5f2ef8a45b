"""edge-sr: four-times super-resolution of chest radiographs, on the device, accountable for every pixel."""

import os

__version__ = "0.1.0"

# ONNX Runtime's builds for Linux send telemetry since 1.29 unless this is set before they are loaded, and they leave a
# device id in the home folder. Nothing leaves a machine that handles patients' pictures, so a user's own value does not
# count.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
