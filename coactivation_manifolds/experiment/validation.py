"""All problems of an experiment file at once, each with file, line, key and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.experiment import config as experiment_config

SCHEMA_FILE = "experiment.schema.json"


def load_schema(folder: Path) -> dict[str, Any]:
    """The JSON schema of experiment files."""
    schema: dict[str, Any] = json.loads((folder / SCHEMA_FILE).read_text(encoding="utf-8"))
    return schema


def key_lines(path: Path) -> dict[tuple[str, ...], int]:
    """The line (from 1) on which each key of a YAML file stands, by its path of keys."""
    lines: dict[tuple[str, ...], int] = {}

    def visit(node: yaml.Node, keys: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*keys, str(key.value))
                lines[here] = key.start_mark.line + 1
                visit(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                here = (*keys, str(position))
                lines[here] = item.start_mark.line + 1
                visit(item, here)

    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    if root is not None:
        visit(root, ())
    return lines


def find_problems(path: Path, folder: Path) -> list[str]:
    """Everything that is wrong in one experiment file, one line each; empty where it is right."""
    try:
        resolved = experiment_config.resolve(path, folder)
        lines = key_lines(path)
    except ConfigError as error:
        return [str(error)]

    def at(keys: tuple[str, ...]) -> str:
        known = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), None)
        return f"{path}{f', line {known}' if known else ''}: {'.'.join(keys)}"

    checked = {key: value for key, value in resolved.items() if key != "name"}
    problems = []
    for error in sorted(
        Draft202012Validator(load_schema(folder)).iter_errors(checked),
        key=lambda e: [str(p) for p in e.absolute_path],
    ):
        keys = tuple(str(part) for part in error.absolute_path)
        if error.validator == "additionalProperties":
            allowed = list(error.schema.get("properties", {}))
            problems += [
                f"{at((*keys, key))}: unknown key{nearest(key, allowed)}"
                for key in error.instance
                if key not in allowed
            ]
        else:
            problems.append(f"{at(keys)}: {error.message}")
    if problems:
        return problems
    for keys, message in semantic_problems(resolved):
        problems.append(f"{at(keys)}: {message}")
    return problems


def semantic_problems(config: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """What a schema can't say: keys that contradict one another, names out of the grammar, thresholds below the floor."""
    found: list[tuple[tuple[str, ...], str]] = []
    names: list[tuple[tuple[str, ...], str]] = [(("clustering", "headline"), config["clustering"]["headline"])]
    for position, pattern in enumerate(config["clustering"]["sweep"]):
        keys = ("clustering", "sweep", str(position))
        try:
            names += [(keys, name) for name in experiment_config.expand_names([pattern])]
        except ConfigError as error:
            found.append((keys, str(error)))
    for keys, name in names:
        try:
            experiment_config.check_clustering(name, config)
        except ConfigError as error:
            found.append((keys, str(error)))
    if config["clustering"]["min_size"] > config["clustering"]["max_size"]:
        found.append((("clustering", "min_size"), "is larger than clustering.max_size"))
    positions = config["counting"]["positions"]
    if positions is not None and positions[0] >= positions[1]:
        found.append(
            (
                ("counting", "positions"),
                f"{positions} is empty: [first, last) counts first <= position < last",
            )
        )
    return found
