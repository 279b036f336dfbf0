"""A full disk, as a small mounted one, and a folder without permission: one line, and finished files stay."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_runs import BadCase, check_case, digests, run_all
from workflow_clone import ROOT, SMALL_EXPERIMENT, Clone, add_small_experiment

pytestmark = pytest.mark.workflow

TEXT = SMALL_EXPERIMENT.format(shards=1)
WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]

FULL = BadCase(
    "full",
    TEXT,
    "activations/import.json",
    "import_activations.log",
    ("no space left on the disk while writing", "results/full/activations", "run the same command again"),
)
LOCKED = BadCase(
    "locked",
    TEXT,
    "metadata/shard_stats.parquet",
    "summarize_activations.log",
    ("can't write results/locked/metadata", "Permission denied", "check the owner and mode"),
)


@pytest.fixture(scope="module")
def clone(make_clone) -> Clone:
    """A workflow with a finished small import, twice."""
    clone = make_clone()
    manifests = []
    for name in ("small", "locked"):
        add_small_experiment(clone, name)
        manifests.append(f"results/{name}/activations/shard=000000/manifest.json")
    clone.snakemake(*manifests, "results/locked/metadata/decoder.npy")
    return clone


@pytest.fixture
def full_disk(clone: Clone) -> Iterator[Path]:
    """A disk of 32 kB, mounted where the activations of an experiment go."""
    folder = clone / "results/full/activations"
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(clone, full_disk):
    before = digests(clone / "results")
    output = run_all(clone, [FULL])
    check_case(clone, FULL, output)
    after = digests(clone / "results")
    assert {path: after.get(path) for path in before} == before
    left = [path.name for path in full_disk.rglob("*") if path.is_file()]
    assert [name for name in left if name.endswith(".tmp") or name == "manifest.json"] == []


def test_a_folder_without_permission(clone):
    prefix = [] if os.geteuid() != 0 else WITHOUT_ROOTS_RIGHTS
    if prefix and shutil.which("setpriv") is None:
        pytest.skip("root obeys no modes, and there is no setpriv to run without that right")
    before = digests(clone / "results")
    folder = clone / "results/locked/metadata"
    folder.chmod(0o555)
    try:
        if subprocess.run([*prefix, "touch", str(folder / "x")], capture_output=True).returncode == 0:
            pytest.skip("modes are not obeyed here")
        command = [*prefix, sys.executable, "-m", "snakemake", "--profile", "local", "--cores", "2"]
        finished = subprocess.run(
            [*command, f"results/locked/{LOCKED.target}"],
            cwd=clone.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        folder.chmod(0o755)
    assert finished.returncode == 1
    check_case(clone, LOCKED, finished.stdout)
    assert digests(clone / "results") == before
