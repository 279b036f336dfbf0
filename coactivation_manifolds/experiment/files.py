"""The files of experiments: their names, and one configuration merged from defaults, `extends` and overrides.

Imported by the Snakefile in every job, so nothing heavy is imported here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.experiment.yaml_file import Lines, YamlFile, read_yaml
from coactivation_manifolds.paths import EXPERIMENTS as NAMES

CONFIG_FOLDER = Path("config")
SETTINGS_FILE = "config.yaml"
EXPERIMENTS = "experiments"
MAX_EXTENDS = 20
HARVEST_SECTIONS = ("model", "sae", "corpus", "harvest")
LOCAL_PATHS = (
    ("model", "path"),
    ("sae", "path"),
    ("corpus", "path"),
    ("activations", "path"),
    ("activations", "decoder"),
    ("activations", "tokens"),
)

Config = dict[str, Any]


@dataclass(frozen=True)
class Resolved:
    """A full configuration, unchecked, and where each of its keys stands.

    Attributes
    ----------
    config
        Defaults, extended files and the file itself, merged.
    lines
        File and line of each key, by its path of keys: the file that gave the value.
    own_lines
        The same without the defaults of config.yaml.

    """

    config: Config
    lines: Lines
    own_lines: Lines


def experiment_names(folder: Path = CONFIG_FOLDER) -> list[str]:
    """The experiments that have a file, sorted; a file whose name is no name of an experiment is none."""
    stems = (path.stem for path in (folder / EXPERIMENTS).glob("*.yaml"))
    return sorted(stem for stem in stems if re.fullmatch(NAMES["own"], stem))


def experiment_file(name: str, folder: Path = CONFIG_FOLDER) -> Path:
    """The file of an experiment.

    Raises
    ------
    ConfigError
        No such experiment; the message offers the nearest name.

    """
    if not isinstance(name, str) or not re.fullmatch(NAMES["own"], name):
        raise ConfigError(
            f'"{name}" is no name of an experiment: a letter or digit, then letters, digits, ".", "_" and "-"'
        )
    path = folder / EXPERIMENTS / f"{name}.yaml"
    if not path.exists():
        known = experiment_names(folder)
        meant = nearest(name, known) or f"; those here are: {', '.join(known) or 'none'}"
        raise ConfigError(f'there is no experiment "{name}"{meant}: {path} does not exist')
    return path


def listed_experiments(settings: Mapping[str, Any]) -> list[str]:
    """The experiments that config.yaml lists for a run without targets.

    Raises
    ------
    ConfigError
        The key is missing or is no list of names.

    """
    names = settings.get(EXPERIMENTS)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"{CONFIG_FOLDER / SETTINGS_FILE}: experiments: must be a list of experiments, such as [demo]; "
            f"those here are: {', '.join(experiment_names()) or 'none'}"
        )
    return list(names)


def merge(base: Config, override: Config) -> Config:
    """Override a mapping key by key, in depth; lists and scalars are replaced whole."""
    merged = copy.deepcopy(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def read_with_extends(path: Path, seen: tuple[Path, ...] = ()) -> YamlFile:
    """Read an experiment file on top of the one that it ``extends``.

    Raises
    ------
    ConfigError
        The extended experiment does not exist, or files extend one another in a circle.

    """
    file = read_yaml(path)
    content = dict(file.content)
    if "extends" not in content:
        return file
    parent = content.pop("extends")
    where = f"{path}, line {file.lines[('extends',)][1]}: extends"
    if not isinstance(parent, str) or not re.fullmatch(NAMES["own"], parent):
        raise ConfigError(f"{where}: must be the name of another experiment, found {parent!r}")
    parent_path = path.with_name(f"{parent}.yaml")
    if len(seen) >= MAX_EXTENDS:
        raise ConfigError(f"{where}: more than {MAX_EXTENDS} files extend one another; keep a chain short")
    if parent_path in (*seen, path):
        raise ConfigError(f"{where}: {' -> '.join(p.stem for p in (*seen, path, parent_path))} is a circle; break it")
    if not parent_path.exists():
        known = [other.stem for other in path.parent.glob("*.yaml") if other != path]
        raise ConfigError(f'{where}: there is no experiment "{parent}"{nearest(parent, known)}')
    base = read_with_extends(parent_path, (*seen, path))
    own_lines = {keys: line for keys, line in file.lines.items() if keys[0] != "extends"}
    return YamlFile(merge(base.content, content), base.lines | own_lines)


def resolve_with_lines(path: Path, folder: Path = CONFIG_FOLDER) -> Resolved:
    """The full configuration of an experiment file, unchecked: defaults, extended files and overrides merged.

    A section without anything in it counts as not given. ``{experiment}`` in a path is replaced by the experiment's
    name. An experiment with ``activations`` has no defaults for model, SAE, corpus and harvest, and one without has
    none for ``activations``.

    Raises
    ------
    ConfigError
        A file can't be read (``read_yaml``).

    """
    settings = read_yaml(folder / SETTINGS_FILE)
    defaults = settings.content.get("defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    file = read_with_extends(path)
    own = {key: value for key, value in file.content.items() if value is not None}
    unused = HARVEST_SECTIONS if "activations" in own else ("activations",)
    used = {key: value for key, value in defaults.items() if key not in unused}
    config = {"name": path.stem, **merge(used, own)}
    for section, key in LOCAL_PATHS:
        values = config.get(section)
        if isinstance(values, dict) and isinstance(values.get(key), str):
            values[key] = values[key].replace("{experiment}", path.stem)
    default_lines = {keys[1:]: line for keys, line in settings.lines.items() if keys[0] == "defaults" and keys[1:]}
    return Resolved(config, default_lines | file.lines, file.lines)


def resolve(path: Path, folder: Path = CONFIG_FOLDER) -> Config:
    """The full configuration of an experiment file, unchecked (see ``resolve_with_lines``)."""
    return resolve_with_lines(path, folder).config


def imported_experiments(folder: Path = CONFIG_FOLDER) -> list[str]:
    """The experiments whose activations were made elsewhere; a file that can't be read counts as harvested.

    The rules of harvest and import are told apart by these names, before it is known which experiment is asked for: a
    broken file of another experiment must not stop a run.
    """
    names = []
    for name in experiment_names(folder):
        try:
            content = read_with_extends(folder / EXPERIMENTS / f"{name}.yaml").content
        except ConfigError:
            continue
        if content.get("activations") is not None:
            names.append(name)
    return names
