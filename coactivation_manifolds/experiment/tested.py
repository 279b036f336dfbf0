"""Which clusterings of an experiment have their clusters' shapes tested, known before anything runs."""

from __future__ import annotations

from coactivation_manifolds.clustering.neighbors import sweep_neighbors
from coactivation_manifolds.clustering.spec import expand_names, parse_spec
from coactivation_manifolds.experiment.config import clustering_names, has_decoder, is_shifted, shifted_clusterings
from coactivation_manifolds.experiment.files import Config


def tested_clusterings(config: Config) -> list[str]:
    """The clusterings that finds are collected from: those of ``finds.clusterings``, or the sweep's of co-activation.

    Of a shifted control, only those of co-activation.
    """
    chosen = config["finds"]["clusterings"]
    names = shifted_clusterings(config) if chosen is None else expand_names(chosen)
    return [name for name in names if not (is_shifted(config) and parse_spec(name).from_cosine)]


def found_clusterings(config: Config) -> list[str]:
    """The tested clusterings, and the cosine ones matched to them where these are wanted and can be made.

    A shifted control is compared with nothing.
    """
    tested = tested_clusterings(config)
    if is_shifted(config) or not has_decoder(config) or not config["finds"]["with_cosine"]:
        return tested
    compared = [parse_spec(name) for name in tested if not parse_spec(name).from_cosine]
    return list(dict.fromkeys([*tested, *(spec.counterpart.name for spec in compared)]))


def neighbor_names(name: str, config: Config) -> list[str]:
    """The clusterings next to this one in the sweep (``clustering.neighbors``)."""
    swept = [parse_spec(each) for each in clustering_names(config)]
    return [spec.name for spec in sweep_neighbors(parse_spec(name), swept)]
