"""The operations of editors: add and correct issues, check links, recommend articles, import counts, manage
accounts.
"""
