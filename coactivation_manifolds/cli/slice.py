"""``slice RESULTS --features ... --out FILE``: the tokens on which chosen latents fire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.slices import write_slice
from coactivation_manifolds.cli.results_folder import find_results, size_text
from coactivation_manifolds.errors import ConfigError, ResultsError


def slice_rows(name: str, features: Sequence[int], *, out: str) -> int:
    """Write the rows of chosen latents as Parquet, and say how many there are.

    Raises
    ------
    ResultsError
        There are no such results, or they have no index yet.
    ConfigError
        The file would lie among the results, where only the workflow writes.
    InputError
        No such latent, or one is named twice.
    StorageError
        The file can't be written.

    """
    folder = find_results(name)
    target = Path(out)
    if target.is_dir():
        raise ConfigError(f"--out {out} is a folder; give the name of a file, e.g. {target / 'slice.parquet'}")
    if target.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--out {out} lies in {folder}, where only the workflow writes; choose another place")
    offsets = folder / Path(*Path(paths.INDEX_OFFSETS).parts[2:])
    if not offsets.is_file():
        raise ResultsError(f"{folder} has no index yet; make it with: snakemake --profile local {offsets}")
    index = FeatureIndex.open(offsets)
    n_rows = write_slice(index, features, target)
    if not n_rows:
        print("none of these latents ever fires: the file holds no rows")
    print(
        f"{target}: {n_rows:,} tokens on which any of {len(features)} latents fires, {size_text(target.stat().st_size)}"
    )
    return 0
