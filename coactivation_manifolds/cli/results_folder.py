"""Which results folder, and which experiment file, a word on the command line means."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds.errors import ConfigError, ResultsError, nearest
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.experiment.files import CONFIG_FOLDER, Config

RESULTS = Path("results")


def find_results(name: str) -> Path:
    """The folder of one experiment's results, given as a path or as the experiment's name.

    Raises
    ------
    ResultsError
        There is no such folder, or it is the folder of all results.

    """
    path = Path(name)
    if not path.is_dir():
        path = RESULTS / name
    if not path.is_dir():
        known = sorted(folder.name for folder in RESULTS.iterdir() if folder.is_dir()) if RESULTS.is_dir() else []
        hint = nearest(Path(name).name, known) or f"; there are: {', '.join(known) or 'none'}"
        raise ResultsError(f"there are no results {name}{hint}; make them with: snakemake --profile local")
    if path.resolve() == RESULTS.resolve():
        raise ResultsError(f"{name} holds the results of all experiments; name one, e.g. {name.rstrip('/')}/demo")
    return path


def config_of_results(folder: Path) -> Config | str:
    """The experiment's checked configuration, or one line that says why it isn't known."""
    resolved = folder.resolve()
    config_folder = resolved.parent.parent / CONFIG_FOLDER
    if not config_folder.is_dir():
        return f"there is no {CONFIG_FOLDER}/ beside {resolved.parent.name}/"
    try:
        return load_experiment(resolved.name, config_folder)
    except ConfigError as error:
        return str(error)


def size_text(n_bytes: int) -> str:
    """A size that a person can read."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
