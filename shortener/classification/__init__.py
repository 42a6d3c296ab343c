"""Rules that decide whether a click was made by a person or a program (see docs/classification.md).

``request_rules`` classifies a click by its own request, ``group_rules`` by the clicks around it, and ``explain`` lists
the rules that match. The package is pure: it reads its own data files, but no clock, database or configuration.
"""
