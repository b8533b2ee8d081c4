"""The site, made by Sphinx: `make site` builds it into build/site."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

project = "nervure"
author = "The nervure authors"
project_copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
root_doc = "index"

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "nervure"
html_show_sourcelink = False

default_role = "code"
# Types such as "shape (edges,)" are prose, whose words are also names of attributes.
suppress_warnings = ["ref.python"]


def _plain(_app, _what, _name, _obj, _options, lines):
    """Keep |w| an absolute value: to reStructuredText bars are a substitution."""
    code = False
    for number, line in enumerate(lines):
        code = line.lstrip().startswith((">>>", "...")) or (code and bool(line.strip()))
        if not code and "``" not in line:
            lines[number] = line.replace("|", r"\|")


def _foreign(_app, _what, name, _obj, skip, _options):
    """Leave out what scikit-learn adds to every estimator."""
    return True if name.startswith("set_") and name.endswith("_request") else skip


def setup(app):
    """Register both."""
    app.connect("autodoc-process-docstring", _plain, priority=400)
    app.connect("autodoc-skip-member", _foreign)
