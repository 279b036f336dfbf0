"""No name, target, link or stored path leads out of results/."""

import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow_clone import Clone

from coactivation_manifolds import paths
from coactivation_manifolds.activations.activation_reader import read_manifest
from coactivation_manifolds.activations.importers.npz_files import read_members
from coactivation_manifolds.errors import ConfigError, ResultsError
from coactivation_manifolds.experiment.config import check_cluster_name, split_name, split_path
from coactivation_manifolds.experiment.files import experiment_file, experiment_names, read_with_extends
from coactivation_manifolds.storage import write_array, write_json, write_table, write_text
from coactivation_manifolds.verify.export import copied
from coactivation_manifolds.verify.files import listed
from coactivation_manifolds.verify.records import Records, is_sound

TEMPLATES = [value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str)]
CLIMBING = ["..", ".", "../x", "a/../../x", "/etc/passwd", "~", ""]
SHELL = ["-rf", "a b", "a\n", "a;ls", "$(ls)", "`ls`", "a\x00"]
PART_NAMES = ["../part-00000.parquet", "/etc/passwd", "", ".", "..", "part-0.parquet", 3, None, ["x"]]


@pytest.mark.parametrize("wildcard", paths.WILDCARDS)
@pytest.mark.parametrize("value", [*CLIMBING, *SHELL])
def test_no_wildcard_takes_what_climbs_or_what_a_shell_reads(wildcard: str, value: str) -> None:
    assert not re.fullmatch(paths.WILDCARDS[wildcard], value)


@pytest.mark.parametrize("digits", ["٣٤٥٦٧٨", "００００００"])
def test_digits_of_other_scripts_are_no_digits(digits: str) -> None:
    assert not re.fullmatch(paths.WILDCARDS["shard"], digits)
    assert not re.fullmatch(paths.WILDCARDS["cluster"], digits)
    assert split_name(f"demo/null/shift_s1{digits[0]}") == ("demo", None)


@settings(deadline=None, max_examples=200)
@given(
    template=st.sampled_from(TEMPLATES),
    values=st.fixed_dictionaries(
        {name: st.from_regex(pattern, fullmatch=True) for name, pattern in paths.WILDCARDS.items()}
    ),
)
def test_whatever_the_wildcards_match_stays_below_results(template: str, values: dict[str, str]) -> None:
    path = os.path.normpath(paths.fill(template, **values))
    assert path.startswith("results/")
    assert ".." not in Path(path).parts


@pytest.mark.parametrize("name", [*CLIMBING, *SHELL, "x/y", "x\\..", "\u202ex", None, 3, ["x"]])
def test_names_of_experiments(tmp_path: Path, name: object) -> None:
    (tmp_path / "experiments").mkdir()
    with pytest.raises(ConfigError, match="is no name of an experiment"):
        experiment_file(name, tmp_path)  # type: ignore[arg-type]  # wrong on purpose


def test_files_with_strange_names_are_no_experiments(tmp_path: Path) -> None:
    folder = tmp_path / "experiments"
    folder.mkdir()
    for name in ("...yaml", "..yaml", ".x.yaml", "a b.yaml", "-x.yaml", "right.yaml"):
        (folder / name).write_text("seed: 1\n")
    assert experiment_names(tmp_path) == ["right"]


@pytest.mark.parametrize("parent", ["../secret", "/etc/passwd", "..", "a/b", "''", "[x]"])
def test_extends_stays_in_its_folder(tmp_path: Path, parent: str) -> None:
    (tmp_path / "secret.yaml").write_text("seed: 1\n")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.yaml").write_text(f"extends: {parent}\n")
    with pytest.raises(ConfigError, match="must be the name of another experiment"):
        read_with_extends(tmp_path / "experiments/mine.yaml")


def test_a_long_chain_of_files_ends(tmp_path: Path) -> None:
    for i in range(1_200):
        (tmp_path / f"e{i}.yaml").write_text(f"extends: e{i + 1}\n")
    with pytest.raises(ConfigError, match="more than 20 files extend one another"):
        read_with_extends(tmp_path / "e0.yaml")


def test_targets_on_the_command_line(clone: Clone) -> None:
    """Snakemake itself finds no rule for what climbs; our own check reads what is left after `..` is taken away."""
    outside = clone.folder.parent / "outside"
    for start in ("results/../..", outside.parent, "results/demo/../../.."):
        assert split_path(os.path.normpath(f"{start}/outside/report.html")) is None
    finished = clone.snakemake("-n", "results/../../outside/report.html", check=False)
    assert finished.returncode != 0 and "Traceback" not in finished.stdout
    assert not outside.exists()


@pytest.mark.parametrize("name", ["9" * 5_000, "-1", "1e3", "٣٣٣٣", "../1", ""])
def test_numbers_of_clusters(name: str) -> None:
    with pytest.raises(ConfigError, match="is no number"):
        check_cluster_name(name)


# links


@pytest.mark.parametrize("kind", ["table", "json", "text", "array"])
def test_a_link_in_a_file_s_place_is_replaced_and_never_written_through(tmp_path: Path, kind: str) -> None:
    victim, results = tmp_path / "victim", tmp_path / "results"
    victim.write_text("precious")
    results.mkdir()
    link = results / "file"
    link.symlink_to(victim)
    {
        "table": lambda: write_table(pa.table({"a": [1]}), link),
        "json": lambda: write_json({"a": 1}, link),
        "text": lambda: write_text("x", link),
        "array": lambda: write_array(np.arange(3), link),
    }[kind]()
    assert victim.read_text() == "precious"
    assert not link.is_symlink() and link.is_file()


def test_export_takes_no_file_from_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "results/mine"
    folder.mkdir(parents=True)
    (tmp_path / "private").write_text("key")
    (folder / "report.html").symlink_to(tmp_path / "private")
    with pytest.raises(ResultsError, match="leads to a file outside of"):
        copied(folder, "report.html", tmp_path / "export", Records(folder))
    assert not (tmp_path / "export").exists()


def test_export_of_results_that_lie_on_another_disk(tmp_path: Path) -> None:
    real = tmp_path / "scratch/mine"
    real.mkdir(parents=True)
    (real / "report.html").write_text("page")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/mine").symlink_to(real)
    copied(tmp_path / "results/mine", "report.html", tmp_path / "export", Records(tmp_path / "results/mine"))
    assert (tmp_path / "export/report.html").read_text() == "page"


# paths within files


def manifest(file: object) -> dict[str, object]:
    part = {"file": file, "rows": 1, "entries": 1, "sha256": "0" * 64}
    counts = dict.fromkeys(("shard", "n_latents", "n_tokens", "n_entries", "n_raised_to_subnormal"), 1)
    return counts | {"first_token_index": 0, "last_token_index": 0, "fingerprint": {}, "parts": [part]}


@pytest.mark.parametrize("file", PART_NAMES)
def test_a_manifest_lists_parts_beside_itself_only(tmp_path: Path, file: object) -> None:
    path = tmp_path / "results/x/activations/shard=000000/manifest.json"
    path.parent.mkdir(parents=True)
    write_json(manifest("part-00000.parquet"), path)
    assert read_manifest(path)["n_latents"] == 1
    write_json(manifest(file), path)
    with pytest.raises(ResultsError, match="is no manifest of a shard"):
        read_manifest(path)
    assert len(listed(path, "parts")) == (file == "part-0.parquet")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../x", "results/x/../../y"])
def test_a_record_of_provenance_speaks_of_no_output_elsewhere(path: str) -> None:
    described = {"path": path, "size": 1, "sha256": "0" * 64}
    assert not is_sound({"outputs": [described]})
    assert is_sound({"outputs": [described | {"path": "results/x/report.html"}]})


def test_names_within_an_archive_are_never_paths(tmp_path: Path) -> None:
    path = tmp_path / "given/rows.npz"
    path.parent.mkdir()
    np.savez(path, token_indices=np.arange(3))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped.npy", b"x")
    assert read_members(path, ["token_indices"])["token_indices"].tolist() == [0, 1, 2]
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["given", "rows.npz"]


def test_control_characters_in_a_name_reach_no_terminal(clone: Clone) -> None:
    clone.write_experiment("esc", 'activations: {format: "\\x1b[2J", path: "a", n_latents: 3}\n')
    finished = clone.snakemake("-n", "results/esc/report.html", check=False)
    assert finished.returncode != 0
    assert "\x1b[2J" not in finished.stdout and "must be one of parquet, csr, npz_shards" in finished.stdout
