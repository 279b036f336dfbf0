"""Pages from templates: escaped by default, self-contained, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from coactivation_manifolds.errors import one_line
from coactivation_manifolds.storage import PathLike

FOLDER = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = format_number
    environment.filters["count"] = format_count
    environment.filters["line"] = one_line
    environment.globals["inline"] = _inline
    environment.globals["allowed"] = _allowed
    return environment


def render(template: str, **values: Any) -> str:
    """Fill a template of ``report/templates``; every value is escaped unless it is ``Markup``."""
    return _environment().get_template(template).render(**values)


def _inline(name: str) -> Markup:
    """A style sheet or script of ours, to stand in the page itself."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _allowed(name: str) -> str:
    """A script of ours as the page's policy names it: by its hash, so that no other runs, whatever the page holds."""
    digest = hashlib.sha256((FOLDER / name).read_bytes()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def json_for_script(content: Any) -> Markup:
    """JSON that can stand in a ``<script>`` element whatever texts it holds: no ``<``, ``>`` or ``&`` is left."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def image_data(path: PathLike) -> str:
    """A PNG as a data address, to stand in the page itself."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")


def format_number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits; an empty string where it is unknown."""
    return "" if value is None or value != value else f"{value:,.{digits}f}"


def format_count(value: int | None) -> str:
    """A whole number with thousands separated; an empty string where it is unknown."""
    return "" if value is None else f"{value:,}"
