"""The routes of the editor pages and of the public pages, one blueprint per module."""
