"""Sphinx configuration. coatcheck must be installed, as `nox -s docs` sees to."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment

import coatcheck
import coatcheck.client
import coatcheck.web

project = "coatcheck"
author = "The coatcheck maintainers"
project_copyright = author
release = version = version_of("coatcheck")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"coatcheck {release}"
html_copy_source = False

default_role = "name"
add_module_names = False
python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3


def name_role(
    _: str, rawtext: str, text: str, *args: Any, **kwargs: Any
) -> tuple[list[Any], list[Any]]:
    """Single backticks in docstrings: a link if it is a name that is documented, else code."""
    if re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", text):
        role = PythonDomain.roles["obj"]
        return role("py:obj", f":py:obj:`{text}`", text, *args, **kwargs)
    return [nodes.literal(rawtext, text)], []


def public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> Any:
    """Lead a type hint such as `coatcheck._values.Session` to the public `coatcheck.Session`."""
    target = str(node.get("reftarget", ""))
    name = target.rpartition(".")[2]
    if target.startswith("coatcheck.client._") and name in coatcheck.client.__all__:
        public = f"coatcheck.client.{name}"
    elif target.startswith("coatcheck.web") and name in coatcheck.web.__all__:
        public = f"coatcheck.web.{name}"
    elif target.startswith("coatcheck._") and name in coatcheck.__all__:
        public = f"coatcheck.{name}"
    else:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, content)


def without_unset(*event: Any) -> tuple[str, str | None] | None:
    """Show the default of an argument for which `None` says something as `...`."""
    signature, returns = event[5:7]
    if signature is None:
        return None
    return re.sub(r" \| ~?[\w.]*Unset\b", "", signature).replace("UNSET", "..."), returns


def without_aliases(*event: Any) -> None:
    """Leave out what `NamedTuple` says of a field that has no docstring."""
    lines: list[str] = event[5]
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_role("name", name_role)
    app.connect("missing-reference", public_name)
    app.connect("autodoc-process-signature", without_unset)
    app.connect("autodoc-process-docstring", without_aliases)
