"""Pages made of templates. All text is escaped, and a name that is missing from the model is an error."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from emonet.atomic import write_atomically
from emonet.html.formatting import count, decimal, number, percent
from emonet.palette import EXPRESSIONS

TEMPLATES = Path(__file__).with_name("templates")

# Nothing in the file may load or run anything, whatever the data hold; of scripts only the one with the right hash.
POLICY = {"default-src": "'none'", "img-src": "data:", "style-src": "'unsafe-inline'"}


def write_page(
    path: Path,
    template: str,
    *,
    script: str | Sequence[str] = "",
    more_policy: Mapping[str, str] | None = None,
    **model: Any,
) -> None:
    """Render a page and write it, whole or not at all.

    Args:
        path: The HTML file to write.
        template: The name of a template, as `build.html.j2`.
        script: The name of the one script that may run in the page, or of its parts.
        more_policy: What else the page may load: directive -> sources, as `img-src` -> `'self'`.
        model: What the template shows: plain values, without markup.
    """
    text = render_page(template, script=script, more_policy=more_policy, **model)
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))  # not every file name is text


def render_page(
    template: str, *, script: str | Sequence[str] = "", more_policy: Mapping[str, str] | None = None, **model: Any
) -> str:
    """Fill in a template; see `write_page`.

    Args:
        template: The name of a template.
        script: The name of the one script that may run in the page, or of its parts.
        more_policy: What else the page may load: directive -> sources, as `img-src` -> `'self'`.
        model: What the template shows.
    """
    names = [script] if isinstance(script, str) else script
    code = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names if name)
    policy = _policy(code, more_policy or {})
    return open_templates().get_template(template).render(model, script=Markup(code), policy=policy)


@cache
def open_templates() -> Environment:
    """Open the templates with the filters they use; all of them know the macros of `ui.html.j2` as `ui`."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=count, decimal=decimal, number=number, percent=percent)
    environment.globals["colours"] = EXPRESSIONS
    environment.globals["ui"] = environment.get_template("ui.html.j2").module
    return environment


def _policy(code: str, more: Mapping[str, str]) -> str:
    """Allow the script by its hash alone, so that one which came with the data does not run."""
    allowed = dict(POLICY)
    if code:
        allowed["script-src"] = f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
    for directive, sources in more.items():
        allowed[directive] = f"{allowed.get(directive, '')} {sources}".strip()
    return "; ".join(f"{directive} {sources}" for directive, sources in allowed.items())
