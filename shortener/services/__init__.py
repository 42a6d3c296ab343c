"""The operations of editors: add and correct issues, check links, draft picks, import signals, and manage accounts."""
