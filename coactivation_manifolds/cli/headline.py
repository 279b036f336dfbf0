"""``headline RESULTS``: where the report is, and the few numbers that matter most."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.cli.results_folder import config_of_results, find_results
from coactivation_manifolds.errors import ConfigError, ResultsError
from coactivation_manifolds.report.finds import Part, plain_reading, q_words, read_families, read_finds
from coactivation_manifolds.storage import read_json, read_table

MOST_SHAPES = 5


def headline(name: str) -> int:
    """Print where the report is and what the experiment found.

    Raises
    ------
    ResultsError
        There is no report yet.
    ConfigError
        What the headline clustering is can't be told.

    """
    folder = find_results(name)
    report = folder / Path(paths.REPORT).name
    if not report.is_file():
        raise ResultsError(f"there is no {report}; make it with: snakemake --profile local {report}")
    check = folder / Path(*Path(paths.PLANTED_CHECK).parts[2:])
    lines = read_json(check)["summary_lines"] if check.is_file() else found_lines(folder)
    print(f"report: {report.resolve()}")
    for line in [*lines, *shape_lines(folder)]:
        print(line)
    return 0


def shape_lines(folder: Path) -> list[str]:
    """The shapes found over the sweep, the surest first; why there is none where there is none."""
    finds_path = folder / Path(paths.FINDS).name
    if not finds_path.is_file():
        return []
    finds, families = read_finds(finds_path), read_families(finds_path)
    tested = ", ".join(f"{family.n_tested:,} by {family.name}" for family in families)
    reach = [f"{family.name}: {family.smallest_q:.2g}" for family in families if family.smallest_q is not None]
    lines = [f"shapes: {len(finds):,}, of clusters tested over the sweep: {tested or 'none'}"]
    if not finds:
        return [*lines, f"smallest q that a find could have reached, by {', '.join(reach) or 'none was tested'}"]
    readings_path = folder / Path(paths.GALLERY).name / "readings.json"
    readings = read_json(readings_path)["readings"] if readings_path.is_file() else {}
    for find in finds[:MOST_SHAPES]:
        parts = [Part(**part) for part in readings.get(str(find.find_id), [])]
        place = f"{find.clustering} cluster {find.cluster}"
        lines.append(f"{find.name} of {find.size:,} latents, q {q_words(find.q_value)}, {place}")
        lines += [f"  {plain_reading(parts)}"] if parts else []
    return lines


def found_lines(folder: Path) -> list[str]:
    """How many clusters there are, and how many of them a clustering by decoder cosine misses."""
    config = config_of_results(folder)
    if isinstance(config, str):
        raise ConfigError(f"which clustering is the headline is not known: {config}")
    clustering = config["clustering"]["headline"]
    template = Path(*Path(paths.CLUSTERS_SUMMARY).parts[2:])
    table = read_table(folder / str(template).format(clustering=clustering), columns=["size", "missed_by_cosine"])
    sizes = table.column("size").to_pylist()
    missed = [value for value in table.column("missed_by_cosine").to_pylist() if value is not None]
    found = f"{clustering}: {len(sizes):,} clusters"
    lines = [f"{found}, sizes {min(sizes)} to {max(sizes)}" if sizes else found]
    return [*lines, f"missed by cosine: {sum(missed):,} of {len(missed):,} clusters"] if missed else lines
