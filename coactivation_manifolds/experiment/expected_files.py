"""Every file that a finished run of an experiment has, by stage, known from its configuration."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.experiment.config import (
    Config,
    clustering_names,
    has_decoder,
    has_tokens,
    is_imported,
    shard_names,
    shifted_clusterings,
    shifted_name,
)
from coactivation_manifolds.experiment.tested import found_clusterings, tested_clusterings

STAGES = (
    "trained",
    "corpus",
    "activations",
    "metadata",
    "index",
    "cooccurrence",
    "similarity",
    "clusters",
    "sweep",
    "geometry",
    "null",
    "planted",
    "gallery",
    "report",
)


def expected_files(config: Config) -> dict[str, list[Path]]:
    """What the report of an experiment stands on: paths under ``results/``, by stage, in the order of ``STAGES``.

    Shards' parts are not listed: a shard's manifest says which it has. Stages that an experiment has not are left out.
    """
    by_stage: dict[str, list[Path]] = {stage: [] for stage in STAGES}
    templates = [*trained(config), *activations(config), *counts(config)]
    files = [paths.fill(template, experiment=config["name"]) for template in templates]
    for template in per_shard(config):
        files += [paths.fill(template, experiment=config["name"], shard=shard) for shard in shard_names(config)]
    files += clustering_files(config) + control_files(config) + shape_files(config, config["name"])
    for file in dict.fromkeys(files):
        stage = "report" if len(file.parts) == 3 else file.parts[2]
        by_stage[stage].append(file)
    return {stage: sorted(found) for stage, found in by_stage.items() if found}


def trained(config: Config) -> list[str]:
    """Templates of what a training section makes."""
    training = config.get("training")
    if not training:
        return []
    names = (
        "training.jsonl",
        "harvest.jsonl",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "truth.parquet",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
        "model_losses.json",
        "sae/cfg.json",
        "sae/sae_weights.safetensors",
        "sae_losses.json",
    )
    planted = [paths.PLANTED_CHECK, paths.PLANTED_FIGURE] if training.get("recipe") == "planted" else []
    return [*(f"{paths.TRAINED}/{name}" for name in names), *planted]


def activations(config: Config) -> list[str]:
    """Templates of what harvest or import, and the index, make once."""
    found = [paths.EXPERIMENT_JSON, paths.SHARD_STATS, paths.FEATURE_COUNTS]
    found += [paths.INDEX_OFFSETS, paths.INDEX_TOKEN_ROWS, paths.INDEX_VALUES, paths.INDEX_TOKENS]
    found += [paths.IMPORT_RECORD] if is_imported(config) else [paths.CORPUS_PLAN]
    found += [paths.DECODER, paths.SAE_JSON] if has_decoder(config) else []
    found += [paths.VOCAB]
    found += [paths.LATENT_TOKENS] if has_tokens(config) else []
    return found


def counts(config: Config) -> list[str]:
    """Templates of what counting, similarity and sweep make once."""
    found = [paths.CANDIDATES, paths.TOTALS, paths.EDGES, paths.SIMILARITY_TAIL_TABLE, paths.SIMILARITY_TAIL]
    found += [paths.SWEEP_SUMMARY, paths.SWEEP_ELBOW, paths.REPORT]
    found += [paths.FINDS, paths.FINDS_SUMMARY, paths.GALLERY_INDEX]
    found += [paths.COSINE_NEIGHBORS, paths.COSINE_EDGES] if has_decoder(config) else []
    found += [paths.SHIFT_SUMMARY] if config["control"]["shift_seeds"] else []
    return found + ([paths.COSINE_SWEEP] if headline_is_compared(config) else [])


def per_shard(config: Config) -> list[str]:
    """Templates of what each shard has."""
    found = [paths.MANIFEST, paths.SHARD_COUNTS, paths.SHARD_MARGINALS, paths.SHARD_TOTALS, paths.SHARD_RECOUNT]
    return found if is_imported(config) else [paths.CORPUS_SHARD, *found]


def headline_is_compared(config: Config) -> bool:
    """Whether the headline clustering is one of co-activation, and cosines are known to compare it with."""
    spec = parse_spec(config["clustering"]["headline"])
    return has_decoder(config) and spec.graph == "coactivation" and not spec.matched


def clustering_files(config: Config) -> list[Path]:
    """Every clustering of the sweep and its cosine counterpart, and the pages of the headline one."""
    names: dict[str, None] = {}
    for name in clustering_names(config):
        spec = parse_spec(name)
        names[name] = None
        if spec.matched:
            names[spec.reference.name] = None
        elif spec.graph == "coactivation" and has_decoder(config):
            names[spec.counterpart.name] = None
    experiment, headline = config["name"], config["clustering"]["headline"]
    found = [paths.fill(paths.CLUSTERS, experiment=experiment, clustering=name) for name in names]
    found.append(paths.fill(paths.ATLAS_INDEX, experiment=experiment, clustering=headline))
    return found


def shape_files(config: Config, name: str) -> list[Path]:
    """What the shape tests make of each tested clustering and the headline one, or of those of a control so named."""
    each = (
        paths.CLUSTERS_SUMMARY,
        paths.VARIANCE,
        paths.SHAPE_DRAWS,
        paths.SHAPE_TESTS,
        paths.SHAPES_JSON,
        paths.STABILITY,
        paths.CONNECTED_SETS,
        paths.SCORES,
    )
    clusterings = tested_clusterings(config)
    if name == config["name"]:
        clusterings = list(dict.fromkeys([*found_clusterings(config), config["clustering"]["headline"]]))
    return [
        paths.fill(template, experiment=name, clustering=clustering) for clustering in clusterings for template in each
    ]


def control_files(config: Config) -> list[Path]:
    """What is made of each shifted control."""
    found = []
    own = [paths.CANDIDATES, paths.TOTALS, paths.EDGES, paths.SIMILARITY_TAIL_TABLE]
    own += [paths.INDEX_OFFSETS, paths.INDEX_TOKEN_ROWS, paths.INDEX_VALUES, paths.INDEX_TOKENS]
    own += [paths.DECODER, paths.SAE_JSON] if has_decoder(config) else []
    shards = [paths.MANIFEST, paths.SHARD_COUNTS, paths.SHARD_MARGINALS, paths.SHARD_TOTALS, paths.SHARD_RECOUNT]
    clusterings, headline = shifted_clusterings(config), config["clustering"]["headline"]
    for seed in config["control"]["shift_seeds"]:
        name = shifted_name(config["name"], seed)
        found += [paths.fill(template, experiment=name) for template in own]
        found += [
            paths.fill(template, experiment=name, shard=shard) for template in shards for shard in shard_names(config)
        ]
        found += [paths.fill(paths.CLUSTERS, experiment=name, clustering=each) for each in clusterings]
        if headline in clusterings:
            measured = (paths.CLUSTERS_SUMMARY, paths.VARIANCE)
            found += [paths.fill(template, experiment=name, clustering=headline) for template in measured]
        found += [*shape_files(config, name), paths.fill(paths.FINDS, experiment=name)]
    return found
