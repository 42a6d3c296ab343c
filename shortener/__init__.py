"""A redirect shortener that tracks the links of newsletters."""

__version__ = "0.1.0"
