"""``export RESULTS FOLDER``: what a paper's supplement needs, as one folder."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds.cli.results_folder import find_results, size_text
from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.files import CONFIG_FOLDER, EXPERIMENTS, SETTINGS_FILE, experiment_file
from coactivation_manifolds.experiment.yaml_file import read_yaml
from coactivation_manifolds.verify.export import export_results


def export(name: str, *, out: str, edges: bool) -> int:
    """Write the folder, and say what is in it.

    Raises
    ------
    ConfigError
        The folder is in use.
    ResultsError
        There are no such results, or one of them was changed.

    """
    folder, target = find_results(name), Path(out)
    experiment = folder.resolve().name
    files = config_files(experiment, folder.resolve().parent.parent / CONFIG_FOLDER)
    content = export_results(folder, target, experiment=experiment, config_files=files, edges=edges)
    total = sum(each["bytes"] for each in content["files"])
    if not files:
        print(f"there is no experiment {experiment} in {CONFIG_FOLDER}/: the configuration is only in the records")
    print(f"{target}: {len(content['files']):,} files, {size_text(total)}; check them with: sha256sum -c SHA256SUMS")
    return 0


def config_files(experiment: str, folder: Path) -> dict[str, Path]:
    """The defaults, the experiment's file, and those that it extends, by their names below ``config/``."""
    try:
        path = experiment_file(experiment, folder)
        found = {SETTINGS_FILE: folder / SETTINGS_FILE}
        while f"{EXPERIMENTS}/{path.name}" not in found:
            found[f"{EXPERIMENTS}/{path.name}"] = path
            parent = read_yaml(path).content.get("extends")
            path = path.with_name(f"{parent}.yaml") if parent else path
    except ConfigError:
        return {}
    return {name: file for name, file in found.items() if file.is_file()}
