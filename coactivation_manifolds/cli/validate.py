"""``validate CONFIG``: everything that is wrong with an experiment, before anything runs."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.config import clustering_names, is_imported, n_shards
from coactivation_manifolds.experiment.files import (
    CONFIG_FOLDER,
    SETTINGS_FILE,
    Config,
    experiment_file,
    resolve,
)
from coactivation_manifolds.experiment.preflight import missing_files, pretrained_problems, shard_warnings, warnings
from coactivation_manifolds.experiment.validation import find_problems


def validate(name: str) -> int:
    """Print all problems and warnings of an experiment; 0 where there is no problem, else 2."""
    path = find_config(name)
    folder = config_folder(path)
    problems = find_problems(path, folder)
    found_warnings: list[str] = []
    config = None
    if not problems:
        config = resolve(path, folder)
        problems = [f"{path}: {problem}" for problem in missing_files(config) + pretrained_problems(config)]
        found_warnings = warnings(config, path)
        if is_imported(config) and not problems:
            found_warnings += import_warnings(config)
    for problem in problems:
        print(f"error: {problem}")
    for warning in found_warnings:
        print(f"warning: {warning}")
    if problems:
        print(f"{path}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}")
        return ConfigError.exit_code
    if config is not None:
        print(f"{path}: right. {summary(config)}")
    return 0


def import_warnings(config: Config) -> list[str]:
    """Whether an import's shards have a good size, as far as its files say their rows without being read.

    That is so of Parquet files and sparse matrices, not of ``npz_shards``.
    """
    from coactivation_manifolds.activations.importers import rows_told

    settings = config["activations"]
    rows = rows_told(settings)
    return [] if rows is None else shard_warnings(config, rows, f"activations.shards = {settings['shards']:,}")


def find_config(name: str) -> Path:
    """The file that a word means: a path, or an experiment's name.

    Raises
    ------
    ConfigError
        There is neither.

    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if path.name == SETTINGS_FILE:
            raise ConfigError(f"{path} holds the defaults; validate an experiment, which checks them as well")
        if not path.is_file():
            raise ConfigError(f"{path} does not exist; give an experiment's name or its YAML file")
        return path
    return experiment_file(name)


def config_folder(path: Path) -> Path:
    """Where the defaults and the schema for a file are: above it, else in the working directory.

    Raises
    ------
    ConfigError
        There are none.

    """
    for folder in (path.resolve().parent.parent, CONFIG_FOLDER):
        if (folder / SETTINGS_FILE).is_file():
            try:
                return folder.relative_to(Path.cwd()) if folder.is_absolute() else folder
            except ValueError:
                return folder
    raise ConfigError(f"there is no {CONFIG_FOLDER / SETTINGS_FILE} here; run this in the root of the clone")


def summary(config: Config) -> str:
    """What would be run, in a sentence."""
    if is_imported(config):
        source = f"activations of {config['activations']['n_latents']:,} latents made elsewhere"
    else:
        source = f"{config['corpus']['n_tokens']:,} tokens"
    shards = n_shards(config)
    return (
        f"{source} in {shards:,} {'shard' if shards == 1 else 'shards'}, "
        f"{len(clustering_names(config))} clusterings, headline {config['clustering']['headline']}"
    )
