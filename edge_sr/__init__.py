"""edge-sr: four-times super-resolution of chest radiographs, on the device, accountable for every pixel."""

__version__ = "0.1.0"
