"""Rules that decide whether a click was made by a person or a program (see docs/classification.md).

The package reads no clock, database or configuration.
"""
