"""Writes docs/configuration.md from schema and defaults: ``python -m coactivation_manifolds.experiment.reference``.

A test compares the file with what this module makes, so that the page can't drift from what is checked.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from coactivation_manifolds.experiment.files import CONFIG_FOLDER, SETTINGS_FILE
from coactivation_manifolds.experiment.schema_check import expected_types, load_schema
from coactivation_manifolds.experiment.yaml_file import read_yaml

PAGE = Path("docs/configuration.md")

HEAD = """\
# Configuration reference

<!-- Made by `python -m coactivation_manifolds.experiment.reference` from config/experiment.schema.json and
config/config.yaml; edit those, then run it again. -->

An experiment is one file, `config/experiments/NAME.yaml`, and `NAME` is its name in every path: `results/NAME/...`.
It holds only what differs from the defaults in `config/config.yaml`; [config/README.md](../config/README.md) shows how
to write one. `coactivation-manifolds validate NAME` tells everything that is wrong with it, with line numbers, before
anything runs.

- A key that is not in this list is an error, as is a key given twice.
- Whole numbers may be written `1_000_000`; `1e6` is a text in YAML, not a number.
- `{experiment}` in a path is replaced by the experiment's name. Relative paths start at the working directory, which is
  the root of the clone.
- `extends: OTHER` takes everything from another experiment's file and overrides it key by key; lists are replaced
  whole, and `null` takes away what was inherited.
- Numbers of threads, memory, time limits and partitions are not science: they stand in `rules/` and `profiles/`.

`config/config.yaml` itself has two keys: `experiments`, the list of experiments whose reports `snakemake` builds when
no file is asked for, and `defaults`, which has the sections below.
"""


def reference_page(folder: Path = CONFIG_FOLDER) -> str:
    """The page, in Markdown.

    Raises
    ------
    ConfigError
        The schema or config.yaml can't be read.

    """
    schema = load_schema(folder)
    defaults = read_yaml(folder / SETTINGS_FILE).content["defaults"]
    sections = [(name, rule) for name, rule in schema["properties"].items() if rule.get("type") == "object"]
    single = {name: rule for name, rule in schema["properties"].items() if rule.get("type") != "object"}
    pages = [HEAD, "## Keys outside sections\n", table(single, defaults, ())]
    for name, rule in sections:
        pages += [f"## {name}\n", f"{rule['description']}\n"]
        if rule.get("properties"):
            pages.append(table(rule["properties"], defaults.get(name) or {}, rule.get("required", ())))
        for key, inner in rule.get("properties", {}).items():
            if inner.get("properties"):
                pages += [f"### {name}.{key}\n", f"{inner['description']}\n"]
                pages.append(table(inner["properties"], {}, inner.get("required", ())))
    return "\n".join(pages).rstrip() + "\n"


def table(keys: Mapping[str, Any], defaults: Mapping[str, Any], required: Sequence[str]) -> str:
    """One table of keys: what each may be, its default, and what it means."""
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, rule in keys.items():
        default = "must be given" if key in required else shown(defaults[key]) if key in defaults else "none"
        lines.append(f"| `{key}` | {allowed(rule)} | {default} | {rule.get('description', '')} |")
    return "\n".join(lines) + "\n"


def allowed(rule: Mapping[str, Any]) -> str:
    """What a value may be, in plain words."""
    if "enum" in rule:
        return ", ".join("null" if choice is None else f"`{choice}`" for choice in rule["enum"])
    if "items" in rule:
        return list_of(rule)
    text = expected_types(rule["type"]) if "type" in rule else "anything"
    bounds = [
        words.format(f"{rule[name]:,}" if isinstance(rule[name], int) else rule[name])
        for name, words in BOUNDS.items()
        if name in rule
    ]
    return f"{text}, {' and '.join(bounds)}" if bounds else text


def list_of(rule: Mapping[str, Any]) -> str:
    """What a list may be, in plain words."""
    least, most = rule.get("minItems", 0), rule.get("maxItems")
    count = f"of {least}, each " if least == most else f"of at least {least}, each " if least else "of "
    null = "; or null" if "null" in rule["type"] else ""
    return f"a list {count}{allowed(rule['items'])}{null}"


BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def shown(value: object) -> str:
    """A default as it would be written in YAML."""
    if isinstance(value, bool) or value is None:
        return f"`{yaml.safe_dump(value).splitlines()[0]}`"
    if isinstance(value, int):
        return f"`{value:_}`"
    if isinstance(value, list):
        return "<br>".join(f"`{item}`" for item in value)
    return f"`{value}`" if value != "" else '`""`'


def main(arguments: Sequence[str] = ()) -> int:
    """Write the page; with ``--check`` only say whether it is up to date."""
    page = reference_page()
    if "--check" in arguments:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page
        if not fresh:
            print(f"{PAGE} is out of date: run python -m coactivation_manifolds.experiment.reference", file=sys.stderr)
        return 0 if fresh else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
