"""Reading an experiment file: defaults, `extends`, overrides, and what is known from them before anything runs.

Imported by the Snakefile in every job, so nothing heavy is imported here.
"""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from coactivation_manifolds.clustering.spec import expand_names, parse_spec
from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.paths import WILDCARDS

CONFIG_FOLDER = Path("config")
EXPERIMENTS = "experiments"
HARVEST_SECTIONS = ("model", "sae", "corpus", "harvest")

Config = dict[str, Any]


def read_yaml(path: Path) -> Config:
    """Read a YAML file that holds one mapping, with safe loading.

    Raises
    ------
    ConfigError
        Missing, not YAML, or not a mapping; the message names file and line.

    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist; the experiments here are: {', '.join(experiment_names())}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {getattr(error, 'problem', None) or error}") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content


def experiment_names(folder: Path = CONFIG_FOLDER) -> list[str]:
    """The experiments that have a file, sorted."""
    return sorted(path.stem for path in (folder / EXPERIMENTS).glob("*.yaml"))


def experiment_file(name: str, folder: Path = CONFIG_FOLDER) -> Path:
    """The file of an experiment.

    Raises
    ------
    ConfigError
        No such experiment; the message offers the nearest name.

    """
    if not re.fullmatch(WILDCARDS["experiment"], name):
        raise ConfigError(f'"{name}" is no name of an experiment: letters, digits, ".", "_" and "-" only')
    path = folder / EXPERIMENTS / f"{name}.yaml"
    if not path.exists():
        known = experiment_names(folder)
        raise ConfigError(f'there is no experiment "{name}"{nearest(name, known)}: {path} does not exist')
    return path


def merge(base: Config, override: Config) -> Config:
    """Override a mapping key by key, in depth; lists and scalars are replaced whole."""
    merged = copy.deepcopy(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def read_with_extends(path: Path, seen: tuple[Path, ...] = ()) -> Config:
    """Read an experiment file on top of the one that it ``extends``.

    Raises
    ------
    ConfigError
        The extended experiment does not exist, or files extend one another in a circle.

    """
    if path in seen:
        raise ConfigError(f"{path} extends itself, through {', '.join(str(p) for p in seen)}")
    content = read_yaml(path)
    parent = content.pop("extends", None)
    if parent is None:
        return content
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends must be the name of an experiment")
    return merge(read_with_extends(path.with_name(f"{parent}.yaml"), (*seen, path)), content)


def resolve(path: Path, folder: Path = CONFIG_FOLDER) -> Config:
    """The full configuration of an experiment file, unchecked: defaults, extended files and overrides merged.

    ``{experiment}`` in a path is replaced by the experiment's name. An experiment with ``activations`` has no model, SAE,
    corpus or harvest.
    """
    defaults = read_yaml(folder / "config.yaml").get("defaults") or {}
    own = read_with_extends(path)
    if "activations" in own:
        defaults = {key: value for key, value in defaults.items() if key not in HARVEST_SECTIONS}
        own["activations"] = merge({"shards": 1, "decoder": None, "tokens": None}, own["activations"] or {})
    resolved = merge(defaults, own)
    name = path.stem
    for section in ("model", "sae", "corpus", "activations"):
        for key in ("path", "decoder", "tokens"):
            value = (resolved.get(section) or {}).get(key)
            if isinstance(value, str):
                resolved[section][key] = value.replace("{experiment}", name)
    return {"name": name, **resolved}


def load_experiment(name: str, folder: Path = CONFIG_FOLDER) -> Config:
    """The full, checked configuration of an experiment.

    Raises
    ------
    ConfigError
        The file is missing or wrong; the first problem is told, with the number of others
        (``coactivation-manifolds validate`` lists all).

    """
    from coactivation_manifolds.experiment.validation import find_problems

    path = experiment_file(name, folder)
    problems = find_problems(path, folder)
    if problems:
        others = f" (and {len(problems) - 1} more: coactivation-manifolds validate {path})" if len(problems) > 1 else ""
        raise ConfigError(f"{problems[0]}{others}")
    return resolve(path, folder)


def is_imported(config: Config) -> bool:
    """Whether the activations were made elsewhere."""
    return "activations" in config


def n_shards(config: Config) -> int:
    """How many shards an experiment has, known before anything runs."""
    if is_imported(config):
        return int(config["activations"]["shards"])
    return -(-int(config["corpus"]["n_tokens"]) // int(config["harvest"]["tokens_per_shard"]))


def shard_names(config: Config) -> list[str]:
    """The ``{shard}`` wildcards of an experiment: 000000, 000001, ..."""
    return [f"{shard:06d}" for shard in range(n_shards(config))]


def shard_tokens(config: Config, shard: int) -> int:
    """Tokens planned for one shard: all full but the last."""
    per_shard = int(config["harvest"]["tokens_per_shard"])
    return min(per_shard, int(config["corpus"]["n_tokens"]) - shard * per_shard)


def batches_per_part(config: Config) -> int:
    """Batches in one part file; fixed by the configuration, so that a resumed harvest computes the same batches."""
    tokens_per_batch = int(config["harvest"]["batch_size"]) * int(config["corpus"]["context_length"])
    return max(1, int(config["harvest"]["tokens_per_part"]) // tokens_per_batch)


def has_decoder(config: Config) -> bool:
    """Whether decoder rows are known (always after a harvest; for imports where a decoder file is given)."""
    return not is_imported(config) or config["activations"]["decoder"] is not None


def has_tokens(config: Config) -> bool:
    """Whether the text of tokens is known: a tokenizer is at hand."""
    return not is_imported(config)


def sweep_names(config: Config) -> list[str]:
    """The clusterings of the sweep, expanded."""
    return expand_names(config["clustering"]["sweep"])


def clustering_names(config: Config) -> list[str]:
    """The clusterings of the sweep and the headline one, which may stand outside it."""
    return list(dict.fromkeys([*sweep_names(config), config["clustering"]["headline"]]))


def check_clustering(name: str, config: Config) -> None:
    """Stop at a clustering that this experiment can't have.

    Raises
    ------
    ConfigError
        Wrong name, a threshold below the experiment's floor, or cosine asked for without a decoder.

    """
    spec = parse_spec(name)
    floor = Decimal(str(config["similarity"]["jaccard_floor"]))
    if spec.graph == "coactivation" and spec.threshold < floor:
        raise ConfigError(
            f"{name} asks for edges at Jaccard >= {spec.threshold}, below similarity.jaccard_floor = {floor} of experiment "
            f'"{config["name"]}": raise the threshold, or lower the floor (the counts are then made anew)'
        )
    if spec.needs_cosine and not has_decoder(config):
        raise ConfigError(
            f'{name} needs decoder cosines, but experiment "{config["name"]}" has no decoder: set activations.decoder'
        )


def check_cluster_name(name: str) -> None:
    """Stop at a cluster number that is not written canonically: at least four digits, no further leading zeros.

    Raises
    ------
    ConfigError
        With the canonical form.

    """
    if not name.isdecimal():
        raise ConfigError(f'cluster "{name}" is no number; clusters are written with four digits, e.g. cluster=0003')
    if name != f"{int(name):04d}":
        raise ConfigError(f'cluster "{name}" must be written "{int(name):04d}"')


def harvest_settings(config: Config) -> Config:
    """What experiment.json records of how the activations came about."""
    sections = ("activations",) if is_imported(config) else HARVEST_SECTIONS
    return {
        "name": config["name"],
        "seed": config["seed"],
        **{section: config[section] for section in sections},
    }


def import_settings(config: Config) -> Config:
    """What decides an import: everything but the decoder, which has a rule of its own."""
    return {key: value for key, value in (config.get("activations") or {}).items() if key != "decoder"}


def geometry_settings(config: Config) -> Config:
    """What decides the numbers of a cluster's geometry."""
    return {
        "positions": config["counting"]["positions"],
        "min_active": config["geometry"]["min_active"],
        "min_points": config["geometry"]["min_points"],
        "min_size": config["clustering"]["min_size"],
        "max_size": config["clustering"]["max_size"],
    }


def drawing_settings(config: Config) -> Config:
    """What decides a cluster's figures: the numbers' settings and how much is drawn."""
    return geometry_settings(config) | {
        "max_points_drawn": config["geometry"]["max_points_drawn"],
        "max_size_on_request": config["geometry"]["max_size_on_request"],
        "seed": config["seed"],
    }
