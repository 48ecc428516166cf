"""kinepose learns 3D human pose from films without a single human label."""

__version__ = "0.1.0"
