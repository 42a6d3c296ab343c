"""Sphinx configuration of the documentation; ``make docs`` builds it into ``build/docs``.

Formulas become MathML, which browsers show by themselves: the pages load nothing from other hosts and work offline.
"""

import re
from importlib.metadata import version as installed_version
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

project = "shortener"
version = release = installed_version("shortener")
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generate_reference.py"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "shortener"
html_static_path = ["static"]
html_css_files = ["formulas.css"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer of formulas."""
    app.add_html_math_renderer("mathml", (render_inline, None), (render_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def render_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line as MathML."""
    translator.body.append(to_mathml(node, display="inline"))
    raise nodes.SkipNode


def render_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on lines of its own as MathML; a wide one scrolls by itself."""
    mathml = to_mathml(node, display="block")
    translator.body.append(f'<div class="math">{mathml}</div>\n')
    raise nodes.SkipNode


def to_mathml(node: nodes.math | nodes.math_block, *, display: str) -> str:
    """Return MathML of a LaTeX formula; a command or environment that has no translation is a warning."""
    # The library knows the environment `split` of amsmath, but not `aligned`, which has an equal layout.
    latex = node.astext().replace("{aligned}", "{split}")
    mathml: str = convert(latex, display=display)
    if "\\" in mathml or "<mi>&</mi>" in mathml:
        logging.getLogger(__name__).warning("no MathML for %r: %s", latex, mathml, location=node)
    # TeX puts a thin space between the name of a function and its argument, unless that is in parentheses.
    return re.sub(r"(<mi>(?:exp|log)</mi>)(?!<mo|</)", r'\1<mspace width="0.167em" />', mathml)
