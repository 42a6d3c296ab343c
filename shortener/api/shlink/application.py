"""Registration of the imitated API of Shlink in the Flask application."""

from shortener.api.shlink import access, links, visits

VIEW_MODULES = (links, visits)
"""Modules whose import registers routes."""
PATH, blueprint, handle_error = access.PATH, access.blueprint, access.handle_error
