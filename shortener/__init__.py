"""A link-tracking redirect shortener that knows what a newsletter is."""

__version__ = "0.1.0"
