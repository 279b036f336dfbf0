"""All problems of an experiment file at once, each with file, line, key and remedy.

Imported by the Snakefile in every job, so nothing heavy is imported here, and nothing looks at data: what needs the
files themselves or the table of pretrained SAEs is in ``preflight``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.contradictions import contradictions
from coactivation_manifolds.experiment.files import (
    HARVEST_SECTIONS,
    SETTINGS_FILE,
    Config,
    Resolved,
    resolve_with_lines,
)
from coactivation_manifolds.experiment.schema_check import load_schema, schema_problems, settings_schema
from coactivation_manifolds.experiment.yaml_file import Keys, read_yaml
from coactivation_manifolds.paths import EXPERIMENTS


def find_problems(path: Path, folder: Path) -> list[str]:
    """Everything that is wrong in one experiment file and in config.yaml, one line each; empty where all is right.

    Parameters
    ----------
    path
        The experiment's file.
    folder
        Where config.yaml and the schema are.

    """
    try:
        settings = find_settings_problems(folder)
    except ConfigError as error:
        return [str(error)]
    try:
        resolved = resolve_with_lines(path, folder)
        schema = load_schema(folder)
    except ConfigError as error:
        return [*settings, str(error)]
    if not re.fullmatch(EXPERIMENTS["own"], path.stem):
        settings.append(f'{path}: "{path.stem}" is no name of an experiment: letters, digits, ".", "_" and "-" only')
    content = {key: value for key, value in resolved.config.items() if key != "name"}
    wrong = schema_problems(content, schema)
    wrong += [(keys, "is missing, here and in the defaults") for keys in missing_keys(resolved.config, schema)]
    found = [(*place(keys, resolved, path), message) for keys, message in wrong]
    found += [
        (*place(keys, resolved, path, involved), message)
        for keys, message, involved in contradictions(resolved.config, [keys for keys, _ in wrong])
    ]
    found.sort(key=lambda problem: (problem[0] == folder / SETTINGS_FILE, problem[1]))
    return list(dict.fromkeys([*settings, *(told(*problem) for problem in found)]))


def find_settings_problems(folder: Path) -> list[str]:
    """Everything that is wrong in config.yaml: its own keys, and the defaults of experiments.

    Raises
    ------
    ConfigError
        It can't be read, or the schema can't.

    """
    path = folder / SETTINGS_FILE
    settings = read_yaml(path)
    problems = schema_problems(settings.content, settings_schema(load_schema(folder)))
    resolved = Resolved({}, settings.lines, settings.lines)
    return [told(*place(keys, resolved, path), message) for keys, message in problems]


def missing_keys(config: Config, schema: dict[str, dict[str, Config]]) -> list[Keys]:
    """Keys that have no value at all: their default was taken out of config.yaml."""
    unused = {*(HARVEST_SECTIONS if "activations" in config else ("activations",)), "training"}
    found: list[Keys] = []
    for section, rule in schema["properties"].items():
        if section in unused or section == "extends":
            continue
        if section not in config:
            found.append((section,))
        elif isinstance(config[section], dict):
            required = rule.get("required", [])
            found += [
                (section, key)
                for key in rule.get("properties", {})
                if key not in config[section] and key not in required
            ]
    return found


def place(keys: Keys, resolved: Resolved, path: Path, involved: Sequence[Keys] = ()) -> tuple[Path, int, str]:
    """File, line (0: unknown) and name of a key with a problem.

    The file is the one where the value stands. A value that is missing, or a default that contradicts something of the
    experiment's own, is shown at the nearest line of the experiment's own file.
    """
    lines = resolved.lines
    if keys not in resolved.own_lines and missing(keys, resolved.config):
        lines = resolved.own_lines
    candidates = [keys]
    if keys not in resolved.own_lines:
        candidates = [other for other in involved if other in resolved.own_lines and len(other) > 1] + candidates
    for candidate in candidates:
        for length in range(len(candidate), 0, -1):
            if candidate[:length] in lines:
                file, line = lines[candidate[:length]]
                own = not resolved.config or candidate[:length] in resolved.own_lines
                return file, line, shown(keys) if own else f"defaults.{shown(keys)}"
    return path, 0, shown(keys)


def told(file: Path, line: int, name: str, message: str) -> str:
    """One problem on one line."""
    return f"{file}{f', line {line}' if line else ''}: {name}: {message}"


def missing(keys: Keys, config: Config) -> bool:
    """Whether a key's value is null or absent."""
    value: object = config
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value is None


def shown(keys: Keys) -> str:
    """A path of keys as a person writes it: ``clustering.sweep[0]``."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(keys))
