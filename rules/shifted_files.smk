"""Files of an experiment and of its shifted controls; no rule stands here.

Needs: common.smk. Makes: nothing.
"""

from types import SimpleNamespace


def of_source(inputs):
    """Inputs of the experiment that a shifted control is made from."""

    def files(wildcards):
        source, _ = experiment_config.split_name(wildcards.experiment)
        return inputs(SimpleNamespace(experiment=source))

    return files


def with_controls(template):
    """An input: a file of the experiment, then of each of its shifted controls."""
    return lambda wildcards: [
        filled(template, experiment=name) for name in with_its_controls(wildcards)
    ]


def clusters_with_controls(wildcards):
    """The co-activation clusterings of the experiment, then those of each of its shifted controls."""
    names = experiment_config.shifted_clusterings(experiment(wildcards.experiment))
    return [
        filled(paths.CLUSTERS, experiment=name, clustering=clustering)
        for name in with_its_controls(wildcards)
        for clustering in names
    ]


def variance_with_controls(wildcards):
    """The points of the headline clustering, of the experiment and its controls, where it is one of co-activation."""
    settings = experiment(wildcards.experiment)
    name = settings["clustering"]["headline"]
    if name not in experiment_config.shifted_clusterings(settings):
        return []
    return [
        filled(paths.VARIANCE, experiment=each, clustering=name)
        for each in with_its_controls(wildcards)
    ]


def with_its_controls(wildcards):
    """Names of the experiment and its shifted controls."""
    seeds = experiment(wildcards.experiment)["control"]["shift_seeds"]
    return [
        wildcards.experiment,
        *(experiment_config.shifted_name(wildcards.experiment, seed) for seed in seeds),
    ]


def if_controls(template):
    """An input that exists only where shifted controls are wanted."""
    return only_where(lambda config: bool(config["control"]["shift_seeds"]), template)
