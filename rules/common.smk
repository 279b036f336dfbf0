"""Helper functions of the rules; no rule stands here.

Needs: config/experiments/*.yaml. Makes: nothing.
"""

import os
import re
import sys
from functools import lru_cache
from inspect import signature
from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.errors import CoactivationError, one_line
from coactivation_manifolds.experiment import config as experiment_config
from coactivation_manifolds.experiment.tested import found_clusterings, neighbor_names

ENVIRONMENT = "../envs/coactivation.yaml"


@lru_cache(maxsize=None)
def experiment(name):
    """The checked configuration of an experiment; a wrong one ends the run with one line."""
    try:
        return experiment_config.load_experiment(name)
    except CoactivationError as error:
        sys.exit(f"error: {one_line(error)}")


def check_targets(arguments):
    """Check the names in result files asked for on the command line, before a DAG is built."""
    try:
        names = experiment_config.listed_experiments(config)
    except CoactivationError as error:
        sys.exit(f"error: {one_line(error)}")
    for name in names:
        experiment(name)
    for target in (os.path.normpath(argument) for argument in arguments):
        found = experiment_config.split_path(target)
        if found is None:
            continue
        settings, parts = experiment(found[0]), found[1]
        try:
            if len(parts) > 2 and parts[0] in ("clusters", "geometry"):
                experiment_config.check_clustering(parts[1], settings)
            if len(parts) > 3 and parts[2].startswith("cluster="):
                experiment_config.check_cluster_name(parts[2].removeprefix("cluster="))
        except CoactivationError as error:
            sys.exit(f"error: {one_line(target)}: {one_line(error)}")


def check_writable(folder):
    """Stop before the first job where results can't be written: Snakemake would end with a traceback."""
    if os.path.isdir(folder) and os.statvfs(folder).f_flag & os.ST_RDONLY:
        sys.exit(
            f"error: can't write {folder}: Read-only file system; mount it for writing, or run where it can be written"
        )


def for_each_job(function):
    """A function of a rule, with its arguments' names at hand: Snakemake asks for them several times a job."""
    function.__signature__ = signature(function)
    return function


def setting(key):
    """A param or resource that reads one key of the wildcard's experiment, e.g. ``similarity.min_count``."""

    @lru_cache(maxsize=None)
    def read(name):
        value = experiment(name)
        for part in key.split("."):
            value = value.get(part) if value is not None else None
        return value

    return for_each_job(lambda wildcards: read(wildcards.experiment))


def derived(function):
    """A param that a function of the library derives from the whole configuration."""
    return lambda wildcards: function(experiment(wildcards.experiment))


def filled(template, **fixed):
    """A template of paths.py with the wildcards given."""
    return str(paths.fill(template, **fixed))


def per_shard(template):
    """An input: one path for each shard of the experiment."""

    def shards(wildcards):
        names = experiment_config.shard_names(experiment(wildcards.experiment))
        return [
            filled(template, experiment=wildcards.experiment, shard=shard)
            for shard in names
        ]

    return shards


def only_where(condition, template):
    """An input that exists only where a condition on the experiment's configuration holds."""

    def known(wildcards):
        holds = condition(experiment(wildcards.experiment))
        return filled(template, **wildcards) if holds else []

    return known


def if_decoder(template):
    """An input that exists only where decoder rows are known."""
    return only_where(experiment_config.has_decoder, template)


def if_tokens(template):
    """An input that exists only where the text of tokens is known."""
    return only_where(experiment_config.has_tokens, template)


def if_harvested(template):
    """An input that exists only where the activations are made here."""
    return only_where(
        lambda config: not experiment_config.is_imported(config), template
    )


def memory(megabytes):
    """mem_mb that grows with each attempt."""
    return for_each_job(lambda wildcards, attempt: megabytes * attempt)


def memory_for_tables(megabytes):
    """mem_mb for a job that holds its input tables in memory: ten times their size on disk, compressed, beside a base."""
    return lambda wildcards, input, attempt: int(
        (megabytes + 10 * input.size_mb) * attempt
    )


def minutes(count):
    """runtime in minutes that grows with each attempt."""
    return for_each_job(lambda wildcards, attempt: count * attempt)


imported_experiments = lru_cache(maxsize=None)(experiment_config.imported_experiments)


@lru_cache(maxsize=None)
def experiments_matching(imported):
    """A regex of the experiments whose activations are (or are not) made elsewhere."""
    elsewhere = imported_experiments()
    names = [
        name
        for name in experiment_config.experiment_names()
        if (name in elsewhere) == imported
    ]
    return "|".join(re.escape(name) for name in names) or "(?!)"


def clusters_of(experiment_name, spec):
    """The clusters file of a clustering."""
    return filled(paths.CLUSTERS, experiment=experiment_name, clustering=spec.name)


def cosine_edges_if_needed(wildcards):
    """The cosine graph, for clusterings made from it."""
    spec = parse_spec(wildcards.clustering)
    return (
        filled(paths.COSINE_EDGES, experiment=wildcards.experiment)
        if spec.graph == "cosine" or spec.matched
        else []
    )


def reference_clusters_if_matched(wildcards):
    """The co-activation clustering that a matched cosine clustering is matched to."""
    spec = parse_spec(wildcards.clustering)
    return clusters_of(wildcards.experiment, spec.reference) if spec.matched else []


def is_compared(wildcards, spec):
    """Whether a clustering is compared with cosine clusterings: made from co-activation, with a decoder."""
    settings = experiment(wildcards.experiment)
    known = experiment_config.has_decoder(settings)
    if experiment_config.is_shifted(settings):
        return False
    return known and spec.graph == "coactivation" and not spec.matched


def counterpart_clusters(wildcards):
    """The cosine clustering matched to this one."""
    spec = parse_spec(wildcards.clustering)
    return (
        clusters_of(wildcards.experiment, spec.counterpart)
        if is_compared(wildcards, spec)
        else []
    )


def cosine_sweep_if_compared(wildcards):
    """The sweep of cosine clusterings, where this clustering is compared with it."""
    compared = is_compared(wildcards, parse_spec(wildcards.clustering))
    return (
        filled(paths.COSINE_SWEEP, experiment=wildcards.experiment) if compared else []
    )


def swept(template):
    """An input: one path for each clustering of the experiment's sweep."""

    def files(wildcards):
        names = experiment_config.clustering_names(experiment(wildcards.experiment))
        return [
            filled(template, experiment=wildcards.experiment, clustering=name)
            for name in names
        ]

    return files


def found(template):
    """An input: one path for each clustering whose clusters are tested."""

    def files(wildcards):
        names = found_clusterings(experiment(wildcards.experiment))
        return [
            filled(template, experiment=wildcards.experiment, clustering=name)
            for name in names
        ]

    return files


def neighbor_clusters(wildcards):
    """The clusterings next to this one in the sweep."""
    names = neighbor_names(wildcards.clustering, experiment(wildcards.experiment))
    return [clusters_of(wildcards.experiment, parse_spec(name)) for name in names]


def if_from_shards(inputs):
    """Inputs that exist only where a clustering is made from what the shards were counted for."""
    return lambda wildcards: (
        [] if parse_spec(wildcards.clustering).from_cosine else inputs(wildcards)
    )


def swept_counterparts(wildcards):
    """The matched cosine clustering of each compared clustering of the sweep, in its order."""
    names = experiment_config.clustering_names(experiment(wildcards.experiment))
    compared = [
        parse_spec(name) for name in names if is_compared(wildcards, parse_spec(name))
    ]
    return [clusters_of(wildcards.experiment, spec.counterpart) for spec in compared]


def index_files(wildcards):
    """The four files of the feature-major index."""
    templates = (
        paths.INDEX_OFFSETS,
        paths.INDEX_TOKEN_ROWS,
        paths.INDEX_VALUES,
        paths.INDEX_TOKENS,
    )
    return [filled(template, experiment=wildcards.experiment) for template in templates]


def headline(template):
    """An input of the clustering that the report opens with."""

    def file(wildcards):
        name = experiment(wildcards.experiment)["clustering"]["headline"]
        return filled(template, experiment=wildcards.experiment, clustering=name)

    return file


def planted_check_if_planted(wildcards):
    """The final check of the planted truth, where something was planted."""
    recipe = (experiment(wildcards.experiment).get("training") or {}).get("recipe")
    templates = (
        (paths.PLANTED_CHECK, paths.PLANTED_FIGURE) if recipe == "planted" else ()
    )
    return [filled(template, experiment=wildcards.experiment) for template in templates]
