"""An experiment's checked configuration, and what is known from it before anything runs.

Imported by the Snakefile in every job, so nothing heavy is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from coactivation_manifolds.clustering.spec import expand_names, parse_spec
from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.bounds import LEAST_COSINE
from coactivation_manifolds.experiment.files import (
    CONFIG_FOLDER,
    HARVEST_SECTIONS,
    Config,
    experiment_file,
    experiment_names,
    imported_experiments,
    listed_experiments,
    resolve,
)
from coactivation_manifolds.experiment.yaml_file import shortened
from coactivation_manifolds.paths import EXPERIMENTS, WILDCARDS

LONGEST_CLUSTER = 10
"""Digits of a cluster's number at most."""

__all__ = [
    "CONFIG_FOLDER",
    "Config",
    "experiment_file",
    "experiment_names",
    "imported_experiments",
    "listed_experiments",
    "resolve",
]  # of files.py, for the rules


def load_experiment(name: str, folder: Path = CONFIG_FOLDER) -> Config:
    """The full, checked configuration of an experiment, or of its shifted control (``demo/null/shift_s0``).

    Raises
    ------
    ConfigError
        The file is missing or wrong; the first problem is told, with the number of others
        (``coactivation-manifolds validate`` lists all).

    """
    from coactivation_manifolds.experiment.validation import find_problems

    source, seed = split_name(name)
    path = experiment_file(source, folder)
    problems = find_problems(path, folder)
    if problems:
        others = f" (and {len(problems) - 1} more: coactivation-manifolds validate {path})" if len(problems) > 1 else ""
        raise ConfigError(f"{problems[0]}{others}")
    config = resolve(path, folder)
    return config if seed is None else config | {"name": name, "shift_seed": seed}


def split_name(name: str) -> tuple[str, int | None]:
    """The experiment that a name stands for, and the seed of the shift where it is that of a shifted control."""
    source, _, seed = name.partition("/null/shift_s")
    return source, int(seed) if re.fullmatch(EXPERIMENTS["shifted"], name) else None


def shifted_name(source: str, seed: int) -> str:
    """The name of an experiment's shifted control."""
    return f"{source}/null/shift_s{seed}"


def is_shifted(config: Config) -> bool:
    """Whether the activations are those of another experiment, shifted."""
    return "shift_seed" in config


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


def plan_settings(
    corpus: Mapping[str, Any], model: Mapping[str, Any], sae: Mapping[str, Any], *, tokens_per_shard: int
) -> Config:
    """What decides the plan of the corpus, but for the number of tokens: a plan for more of them begins the same."""
    kept = {key: value for key, value in corpus.items() if key != "n_tokens"}
    return {"corpus": kept, "model": dict(model), "sae": dict(sae), "tokens_per_shard": tokens_per_shard}


def plan_keeps_shard(plan: Config, config: Config, shard: int) -> bool:
    """Whether a new plan leaves a shard as it is in the plan of an earlier run: no more than tokens after it are added.

    Parameters
    ----------
    plan
        The content of the earlier ``corpus/plan.json``.
    config
        The experiment as it is now.
    shard
        Number of the shard.

    """
    per_shard = config["harvest"]["tokens_per_shard"]
    if plan.get("settings") != plan_settings(
        config["corpus"], config["model"], config["sae"], tokens_per_shard=per_shard
    ):
        return False
    earlier = config | {"corpus": config["corpus"] | {"n_tokens": plan["n_tokens_asked"]}}
    return shard < n_shards(earlier) and shard_tokens(earlier, shard) == shard_tokens(config, shard)


AUTO = "auto"
TOKENS_PER_BATCH = 8_192
"""Of a batch whose size is ``auto``: enough to keep a GPU busy."""


def contexts_per_batch(config: Config) -> int:
    """Contexts in one batch. ``auto`` follows from the length of contexts and not from the machine: the last digits of
    activations, and so the results, depend on the size of the batch.
    """
    batch_size = config["harvest"]["batch_size"]
    if batch_size != AUTO:
        return int(batch_size)
    return max(1, TOKENS_PER_BATCH // int(config["corpus"]["context_length"]))


def batches_per_part(config: Config) -> int:
    """Batches in one part file; fixed by the configuration, so that a resumed harvest computes the same batches."""
    tokens_per_batch = contexts_per_batch(config) * int(config["corpus"]["context_length"])
    return max(1, int(config["harvest"]["tokens_per_part"]) // tokens_per_batch)


def has_decoder(config: Config) -> bool:
    """Whether decoder rows are known (always after a harvest; for imports where a decoder file is given)."""
    return not is_imported(config) or config["activations"]["decoder"] is not None


def has_tokens(config: Config) -> bool:
    """Whether the text of tokens may be known: a tokenizer is at hand, or an import brings a table of its tokens.

    Not of shifted activations, which belong to no text.
    """
    return not is_shifted(config) and (not is_imported(config) or config["activations"]["tokens"] is not None)


def sweep_names(config: Config) -> list[str]:
    """The clusterings of the sweep, expanded."""
    return expand_names(config["clustering"]["sweep"])


def clustering_names(config: Config) -> list[str]:
    """The clusterings of the sweep and the headline one, which may stand outside it."""
    return list(dict.fromkeys([*sweep_names(config), config["clustering"]["headline"]]))


def shifted_clusterings(config: Config) -> list[str]:
    """The clusterings that are made of the shifted controls too: those of co-activation."""
    specs = [parse_spec(name) for name in clustering_names(config)]
    return [spec.name for spec in specs if spec.graph == "coactivation" and not spec.matched]


def split_path(path: str) -> tuple[str, tuple[str, ...]] | None:
    """The experiment of a path under ``results/`` and the parts behind its folder; None for other paths."""
    found = re.fullmatch(f"results/({WILDCARDS['experiment']})/(.+)", path)
    return (found[1], tuple(found[2].split("/"))) if found else None


def check_clustering(name: str, config: Config) -> None:
    """Stop at a clustering that this experiment can't have.

    Raises
    ------
    ConfigError
        Wrong name, a threshold below the experiment's floor, or cosine asked for without a decoder.

    """
    spec = parse_spec(name)
    floor = Decimal(str(config["similarity"]["jaccard_floor"]))
    if spec.graph == "coactivation" and not spec.automatic and spec.threshold < floor:
        raise ConfigError(
            f"{name} asks for edges at Jaccard >= {spec.threshold}, below similarity.jaccard_floor = {floor} of "
            f'experiment "{config["name"]}": raise the threshold, or lower the floor (the counts are then made anew)'
        )
    if spec.graph == "cosine" and not spec.matched and spec.threshold < LEAST_COSINE:
        raise ConfigError(
            f"{name} asks for pairs at decoder cosine >= {spec.threshold}, but pairs below {LEAST_COSINE} are not all "
            f"in cosine_edges.parquet: give a threshold of at least {LEAST_COSINE}"
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
    if not (name.isascii() and name.isdecimal() and len(name) <= LONGEST_CLUSTER):
        raise ConfigError(
            f'cluster "{shortened(name)}" is no number; clusters are written with four digits, e.g. cluster=0003'
        )
    if name != f"{int(name):04d}":
        raise ConfigError(f'cluster "{name}" must be written "{int(name):04d}"')


def harvest_settings(config: Config) -> Config:
    """What experiment.json records of how the activations came about."""
    sections = ("activations",) if is_imported(config) else HARVEST_SECTIONS
    kept = {section: config[section] for section in sections}
    if not is_imported(config):
        kept["harvest"] = config["harvest"] | {"batch_size": contexts_per_batch(config)}
    return {"name": config["name"], "seed": config["seed"], **kept}


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


def shape_settings(config: Config) -> Config:
    """What decides the numbers of the shape tests."""
    kept = ("sample_points", "max_q", "family")
    return geometry_settings(config) | {key: config["shapes"][key] for key in kept}


def drawing_settings(config: Config) -> Config:
    """What decides a cluster's figures: the numbers' settings and how much is drawn."""
    return geometry_settings(config) | {
        "max_points_drawn": config["geometry"]["max_points_drawn"],
        "max_size_on_request": config["geometry"]["max_size_on_request"],
        "seed": config["seed"],
    }


def gallery_settings(config: Config) -> Config:
    """What decides the gallery: the figures' settings, and which finds are drawn with what."""
    finds = {"gallery_finds": config["finds"]["gallery"], "persistence": config["finds"]["persistence"]}
    return drawing_settings(config) | shape_settings(config) | finds
