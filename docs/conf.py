"""Sphinx's configuration: `sphinx-build -W docs build/docs`."""

import re
from importlib.metadata import version as version_of

REPOSITORY = "https://github.com/stackinv/stackinv"

project = "stackinv"
author = "The stackinv developers"
copyright = f"2026, {author}"
version = release = version_of("stackinv")

extensions = [
    "myst_parser",  # the pages are Markdown
    "numpydoc",  # the docstrings are NumPy's kind
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
]
exclude_patterns = ["build", "inventories/README.md"]

# What `numpy.linalg.inv` in a docstring leads to, by inventories that are kept here: the pages are built without a net.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", "inventories/python.inv"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.inv"),
    "scipy": ("https://docs.scipy.org/doc/scipy/", "inventories/scipy.inv"),
}

myst_heading_anchors = 3

default_role = "py:obj"  # `inv_ex` in a docstring is a link
nitpicky = True  # and has to lead somewhere,
nitpick_ignore_regex = [
    ("py:obj", "[a-z_]+|A|B"),
    ("py:.*", r"(jax|torch)\..*"),
]  # if it is no argument's name, nor PyTorch's
autosummary_generate = True
autodoc_mock_imports = ["jax", "torch"]  # which are too large to be installed for their names
autodoc_typehints = "none"  # numpydoc's sections say more
numpydoc_show_class_members = False
numpydoc_validation_checks = {
    "all",
    "ES01",  # an extended summary where there is more to say
    "EX01",  # tests ask for examples
    "GL01",  # the summary is on the first line
    "SA01",  # see also where there is something to see
    "SS06",  # a summary on one line
    "YD01",  # context managers "return"
}

numpydoc_validation_exclude = {r"InvExResult\."}  # what every tuple has

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "stackinv"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "github_url": REPOSITORY,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
no_siblings = ("index", "performance", "benchmarking", "how_it_works", "lanes", "blocked", "changelog", "contributing")
html_sidebars = {name: [] for name in no_siblings}


def point_to_repository(app: object, docname: str, source: list[str]) -> None:
    """Links to files outside of docs/, which readers of the repository follow, lead there."""
    source[0] = re.sub(r"\]\((?:\.\./)+((?:src|bench|tests)/[^)]*)\)", rf"]({REPOSITORY}/blob/main/\1)", source[0])


def setup(app: object) -> None:
    app.connect("source-read", point_to_repository)  # type: ignore[attr-defined]
