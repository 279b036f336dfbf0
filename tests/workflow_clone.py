"""A copy of the workflow to run in, and a small set of activations with planted groups."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent
WORKFLOW_PARTS = ["Snakefile", "rules", "workflow_scripts", "config", "profiles", "envs", "docs/captions"]

SECRETS = {name: f"hf_SECRET{name}" for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY")}
"""In the environment of every run; nothing that it writes may hold one (``check_no_secret``)."""

SMALL_EXPERIMENT = """\
activations:
  format: parquet
  path: data/*.parquet
  n_latents: 60
  shards: {shards}
  decoder: data/decoder.npy
similarity: {{jaccard_floor: 0.02, min_count: 5}}
clustering:
  headline: components_j0.30
  sweep: ["components_j{{0.20,0.30}}", leiden_cpm_phi_j0.05_r0.050_s0]
finds: {{clusterings: [components_j0.30], with_cosine: false}}
"""


class Clone:
    """A copy of the workflow in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in WORKFLOW_PARTS:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        for name in ("local", "slurm"):
            (folder / name).symlink_to(f"profiles/{name}")

    def duplicate(self, folder: Path) -> "Clone":
        """This copy as it stands, with its results and what Snakemake knows of them, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        twin = object.__new__(type(self))
        twin.folder = folder
        return twin

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def write_experiment(self, name: str, text: str) -> Path:
        """Write config/experiments/NAME.yaml."""
        path = self / f"config/experiments/{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def snakemake(
        self,
        *arguments: str,
        check: bool = True,
        profile: str = "local",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run snakemake here with the settings of a profile; stdout holds both streams."""
        cores = ["--cores", "2"] if profile == "local" else []
        command = [sys.executable, "-m", "snakemake", "--profile", profile, *cores, *arguments]
        finished = subprocess.run(
            command,
            cwd=self.folder,
            env=without_gpu(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if check:
            assert finished.returncode == 0, finished.stdout
        return finished


def check_no_secret(clone: Clone) -> None:
    """Stop at a file of a run, a log or Snakemake's own, that holds what the environment kept secret."""
    files = [path for path in clone.folder.rglob("*") if path.is_file()]
    held = {path for path in files for secret in SECRETS.values() if secret.encode() in path.read_bytes()}
    assert not held, f"a secret of the environment is in {sorted(held)}"


def without_gpu(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """What runs inherit: the library of this clone, and no GPU unless ``changes`` says so."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **SECRETS, **(changes or {})}


def job_table(output: str) -> dict[str, int]:
    """Jobs by rule, from the last table of a dry run."""
    table = output.rsplit("Job stats:", 1)[1]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}


def load_script(path: str) -> ModuleType:
    """A script of the clone's own, such as ``docs/draw_dags.py``, as a module; it finds the scripts beside it."""
    if str((ROOT / path).parent) not in sys.path:
        sys.path.append(str((ROOT / path).parent))
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def planted_activations(*, seed: int = 0, n_tokens: int = 3_000, n_latents: int = 60) -> np.ndarray:
    """Dense float16 activations, tokens x latents: five groups of six that fire together, rare ones, silent ones.

    Latents 0-29 form the groups, 30-54 fire at random, 55 always fires, 56-59 never do.
    """
    rng = np.random.default_rng(seed)
    dense = np.zeros((n_tokens, n_latents))
    group = rng.integers(0, 8, n_tokens)
    for number in range(5):
        members = np.arange(6 * number, 6 * number + 6)
        angle = rng.uniform(0, 2 * np.pi, n_tokens)[:, None] - 2 * np.pi * np.arange(6) / 6
        dense[:, members] = np.where((group == number)[:, None] & (np.cos(angle) > -0.2), 1.3 + np.cos(angle), 0)
    dense[:, 30:55] = (rng.random((n_tokens, 25)) < 0.03) * rng.exponential(1.0, (n_tokens, 25))
    dense[:, 55] = 0.5 + rng.random(n_tokens)
    return dense.astype(np.float16)


def token_major_table(dense: np.ndarray, *, words_per_doc: int = 50) -> pa.Table:
    """The rows of dense activations as an importable table."""
    rows = [np.flatnonzero(row > 0) for row in dense]
    index = np.arange(len(dense), dtype=np.int64)
    return pa.table(
        {
            "doc_id": index // words_per_doc,
            "token_index": index,
            "position_in_doc": (index % words_per_doc).astype(np.int32),
            "token_id": (index % 97).astype(np.int32),
            "feature_ids": pa.array([list(row) for row in rows], type=pa.list_(pa.uint16())),
            "activations": pa.array([list(dense[t, row]) for t, row in enumerate(rows)], type=pa.list_(pa.float16())),
        }
    )


def add_small_experiment(clone: Clone, name: str = "small", *, shards: int = 1, seed: int = 0) -> np.ndarray:
    """Write an experiment of imported planted activations into a clone; returns the dense activations."""
    dense = planted_activations(seed=seed)
    (clone / "data").mkdir(exist_ok=True)
    pq.write_table(token_major_table(dense), clone / "data/activations.parquet", row_group_size=700)
    decoder = np.random.default_rng(seed).normal(size=(dense.shape[1], 16)).astype(np.float32)
    np.save(clone / "data/decoder.npy", decoder / np.linalg.norm(decoder, axis=1, keepdims=True))
    clone.write_experiment(name, SMALL_EXPERIMENT.format(shards=shards))
    return dense
