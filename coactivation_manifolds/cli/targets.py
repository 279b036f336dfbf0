"""``targets EXPERIMENT``: what can be asked of snakemake, and which of it is there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.experiment.config import clustering_names, load_experiment
from coactivation_manifolds.experiment.expected_files import expected_files
from coactivation_manifolds.experiment.files import Config
from coactivation_manifolds.file_kinds import FILES, kind_of
from coactivation_manifolds.storage import read_table

FOLDED = 3
"""More shards than this are one line, unless one stage is asked for."""


def targets(name: str, *, stage: str | None) -> int:
    """Print every path that a finished run has, and what else can be asked for; first whether it is there.

    Raises
    ------
    ConfigError
        No such experiment or stage, or its file is wrong.

    """
    folder = Path(name)
    config = load_experiment(folder.name if folder.parent.name == "results" else name)
    by_stage = dict(askable(config))
    if stage is not None and stage not in by_stage:
        known = nearest(stage, by_stage) or f"; there are: {', '.join(by_stage)}"
        raise ConfigError(f'"{stage}" is no stage of {config["name"]}{known}')
    for each, files in by_stage.items():
        if stage in (None, each):
            print(f"{each}:")
            for line in target_lines(files, fold=stage is None):
                print(f"  {line}")
    print("make one with: snakemake --profile local PATH")
    return 0


def askable(config: Config) -> Iterator[tuple[str, list[Path]]]:
    """The stages, and what can be asked for of each: files that a run makes, and those made only when asked for."""
    for stage, files in expected_files(config).items():
        found = dict.fromkeys(target_of(file) for file in files)
        if stage == "geometry":
            found |= dict.fromkeys(on_request(config))
        yield stage, list(found)


def target_of(file: Path) -> Path:
    """What Snakemake is asked for to make a file: itself, or the declared output that it comes with."""
    kind = kind_of(file.as_posix())
    return file if kind is None else Path(kind[0].target.format(**kind[1]))


def on_request(config: Config) -> Iterator[Path]:
    """Scores and figures of every clustering of the sweep, and of single clusters where they are known."""
    for name in clustering_names(config):
        filled = {"experiment": config["name"], "clustering": name}
        for template in tables_of_a_clustering():
            yield paths.fill(template, **filled)
        yield paths.fill(paths.ATLAS, **filled)
        summary = paths.fill(paths.CLUSTERS_SUMMARY, **filled)
        if summary.is_file():
            for cluster in drawable(summary, config):
                yield paths.fill(paths.CLUSTER_PCA, **filled, cluster=cluster)


def tables_of_a_clustering() -> Iterable[str]:
    """Templates of geometry's tables with one row a cluster."""
    tables = [kind.template for kind in FILES if kind.stage == "geometry" and kind.schemas]
    return [template for template in tables if "{cluster}" not in template]


def drawable(summary: Path, config: Config) -> list[int]:
    """Clusters within the size bounds."""
    bounds = config["clustering"]
    table = read_table(summary, columns=["cluster_id", "size"]).to_pylist()
    return [row["cluster_id"] for row in table if bounds["min_size"] <= row["size"] <= bounds["max_size"]]


def target_lines(files: list[Path], *, fold: bool) -> Iterator[str]:
    """One line a target; the shards of one kind are one line where there are many."""
    families: dict[str, list[Path]] = {}
    for file in files:
        kind = kind_of(file.as_posix())
        shared = kind is not None and "shard" in kind[1]
        family = f"{kind[1]['experiment']} {kind[0].template}" if kind is not None and shared else file.as_posix()
        families.setdefault(family, []).append(file)
    for members in families.values():
        if fold and len(members) > FOLDED:
            there = sum(file.exists() for file in members)
            yield f"{state(there, len(members))}  {members[0]}  and so on, {len(members):,} shards"
        else:
            yield from (f"{state(int(file.exists()), 1)}  {file}" for file in members)


def state(there: int, wanted: int) -> str:
    """In a word."""
    if there == wanted:
        return "complete"
    return "missing " if not there else f"{there} of {wanted}"
