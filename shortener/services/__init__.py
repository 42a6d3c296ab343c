"""The operations of editors: add and correct issues, check links, recommend articles, import numbers of readers from
other platforms, manage accounts.
"""
