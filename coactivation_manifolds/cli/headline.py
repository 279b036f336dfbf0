"""``headline RESULTS``: where the report is, and the few numbers that matter most."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.cli.results_folder import config_of_results, find_results
from coactivation_manifolds.errors import ConfigError, ResultsError
from coactivation_manifolds.storage import read_json, read_table


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
    for line in lines:
        print(line)
    return 0


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
