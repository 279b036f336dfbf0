"""Sets of latents that others published, and the cluster of ours that comes nearest to each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.experiment.yaml_file import read_yaml

Members = npt.NDArray[np.int64]


class PublishedSet(NamedTuple):
    """One set of latents.

    Attributes
    ----------
    name
        What they are about.
    members
        Their ids, ascending, int64; None where only their number was published.
    n_members
        How many.
    mean_cosine, rank
        As published: mean decoder cosine of the pairs, rank among the publication's clusters; None where not told.

    """

    name: str
    members: Members | None
    n_members: int
    mean_cosine: float | None
    rank: int | None


class NearestCluster(NamedTuple):
    """The cluster whose members are most like a published set; of equal ones the smallest id.

    Attributes
    ----------
    cluster_id
        -1 where no cluster shares a member.
    size
        Its latents.
    jaccard
        Shared members over members in either.
    found, missing, extra
        Ids, ascending: shared, only published, only in the cluster.

    """

    cluster_id: int
    size: int
    jaccard: float
    found: list[int]
    missing: list[int]
    extra: list[int]


def read_published(path: Path) -> tuple[str, list[PublishedSet]]:
    """The publication and its sets, from a YAML file such as docs/published/days.yaml.

    Raises
    ------
    ConfigError
        No such file, or not YAML.
    InputError
        A set without a name, or members that are no different whole numbers, or not as many as ``n_members``.

    """
    content = read_yaml(path).content
    sets = content.get("sets")
    if not isinstance(sets, list) or not sets:
        raise InputError(f"{path} has no list of sets: give `sets:` with name, members and n_members each")
    return str(content.get("source", path)), [_read_set(entry, path) for entry in sets]


def _read_set(entry: Any, path: Path) -> PublishedSet:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise InputError(f"{path}: a set has no name")
    name, members, number = entry["name"], entry.get("members"), entry.get("n_members")
    if members is None:
        if not isinstance(number, int) or number < 1:
            raise InputError(f"{path}: {name} has neither members nor n_members; give one of them")
        return PublishedSet(name, None, number, entry.get("mean_cosine"), entry.get("rank"))
    whole = isinstance(members, list) and all(type(latent) is int and latent >= 0 for latent in members)
    if not whole or not members or len(set(members)) != len(members):
        raise InputError(f"{path}: members of {name} must be different ids of latents, or null where they are unknown")
    if number not in (None, len(members)):
        raise InputError(f"{path}: {name} lists {len(members)} members, but n_members is {number}; correct one of them")
    ids = np.array(sorted(members), np.int64)
    return PublishedSet(name, ids, len(ids), entry.get("mean_cosine"), entry.get("rank"))


def nearest_cluster(members: Members, clusters: Sequence[npt.NDArray[Any]]) -> NearestCluster:
    """The cluster most like ``members``, by the Jaccard similarity of the two sets.

    Parameters
    ----------
    members
        Ids, ascending.
    clusters
        Members of each cluster, in the order of their ids.

    """
    best, best_jaccard = -1, 0.0
    for number, cluster in enumerate(clusters):
        shared = len(np.intersect1d(members, cluster))
        jaccard = shared / (len(members) + len(cluster) - shared)
        if jaccard > best_jaccard:
            best, best_jaccard = number, jaccard
    cluster = np.asarray(clusters[best], np.int64) if best >= 0 else np.zeros(0, np.int64)
    return NearestCluster(
        best,
        len(cluster),
        best_jaccard,
        np.intersect1d(members, cluster).tolist(),
        np.setdiff1d(members, cluster).tolist(),
        np.setdiff1d(cluster, members).tolist(),
    )
