"""A link-tracking redirect shortener for newsletters."""

__version__ = "0.1.0"
