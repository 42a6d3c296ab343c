"""Sphinx configuration of the documentation; ``make docs`` builds it into ``build/docs``."""

from importlib.metadata import version as installed_version

project = "shortener"
version = release = installed_version("shortener")
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generate_reference.py"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "shortener"
