"""Tiny experiments, run once undisturbed; copies of them are disturbed, run on, and compared with the first."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bad_runs import error_lines
from disk_layer import SCRIPTS
from tiny_models import random_texts, save_jsonl, save_model, save_sae
from workflow_clone import ROOT, Clone, add_small_experiment

PATIENCE_S = 1800
CONTROL = "control: {shift_seeds: [0]}\n"
HARVESTED = """\
model: {path: data/model}
sae: {path: data/sae}
corpus: {source: jsonl, path: data/corpus.jsonl, context_length: 16, n_tokens: 300}
harvest: {device: cpu, gpus_per_job: 0, max_fvu: 1000.0, tokens_per_shard: 300, batch_size: 2, tokens_per_part: 64}
"""


@dataclass(frozen=True)
class Stage:
    """A stage whose job is disturbed.

    Attributes
    ----------
    name
        As in the table.
    targets
        What is asked for.
    made
        What its job makes, as globs: removed before, so that the job runs.

    """

    name: str
    targets: tuple[str, ...]
    made: tuple[str, ...]


def stages_of(experiment: str, *, clustering: str, headline: str) -> tuple[Stage, ...]:
    """The stages from counting on."""
    at = f"results/{experiment}"
    counted, figures = f"{at}/cooccurrence", f"{at}/geometry/{headline}/atlas"
    edges, clusters = f"{at}/similarity/edges.parquet", f"{at}/clusters/{clustering}/clusters.parquet"
    counts = tuple(f"{counted}/shard=000001.{ending}" for ending in ("parquet", "marginals.npy", "totals.json"))
    recount = f"{counted}/shard=000001.recount.parquet"
    return (
        Stage("count", counts[:1], counts),
        Stage("recount", (recount,), (recount,)),
        Stage("reduce", (edges,), (edges, f"{at}/similarity/tail.parquet", f"{counted}/totals.json")),
        Stage("index", (f"{at}/index/token_rows.npy",), (f"{at}/index/*",)),
        Stage("cluster", (clusters,), (clusters,)),
        Stage("figures", (figures,), (figures,)),
        Stage("report", (f"{at}/report.html",), (f"{at}/report.html",)),
    )


def stages_of_harvest(experiment: str) -> tuple[Stage, ...]:
    """Plan and harvest."""
    at = f"results/{experiment}"
    shard = f"{at}/activations/shard=000000"
    return (
        Stage("plan", (f"{at}/corpus/plan.json",), (f"{at}/corpus/*", f"{at}/metadata/vocab.parquet")),
        Stage("harvest", (f"{shard}/manifest.json",), (f"{shard}/*",)),
    )


def stages_of_import(experiment: str) -> tuple[Stage, ...]:
    """The import, and a shard of the shifted control."""
    at = f"results/{experiment}"
    shifted = f"{at}/null/shift_s0/activations/shard=000000"
    manifests = tuple(f"{at}/activations/shard=00000{shard}/manifest.json" for shard in (0, 1))
    return (
        Stage("import", manifests, (f"{at}/activations", f"{at}/metadata/vocab.parquet")),
        Stage("null", (f"{shifted}/manifest.json",), (f"{shifted}/*",)),
    )


STAGES = (
    *stages_of_harvest("tiny"),
    *stages_of_import("small"),
    *stages_of("small", clustering="leiden_cpm_phi_j0.05_r0.050_s0", headline="components_j0.30"),
)
STAGES_OF_DEMO = (
    *stages_of_harvest("demo"),
    *stages_of("demo", clustering="leiden_cpm_phi_j0.05_r0.050_s0", headline="components_j0.20"),
)


@dataclass
class Victim:
    """A folder with a workflow and finished results.

    Attributes
    ----------
    folder
        Where it lies.
    undisturbed
        SHA-256 of every result of the undisturbed run.

    """

    folder: Path
    undisturbed: dict[str, str] = field(default_factory=dict)

    def copy(self, folder: Path) -> Victim:
        """A copy to disturb, with all times of change."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Victim(folder, self.undisturbed)

    def remove(self, patterns: tuple[str, ...]) -> None:
        """Remove results by glob."""
        for path in [path for pattern in patterns for path in sorted(self.folder.glob(pattern))]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def start(self, *arguments: str, prefix: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[str]:
        """Start snakemake in a session of its own, so that it can be killed with all its jobs."""
        command = [*prefix, sys.executable, "-m", "snakemake", "--profile", "local", "--cores", "2", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **variables}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def run(self, *arguments: str, prefix: tuple[str, ...] = (), **variables: str) -> tuple[int, str]:
        """Run snakemake; exit status and what it said."""
        process = self.start(*arguments, prefix=prefix, **variables)
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            kill_session(process)
            return -signal.SIGKILL, f"did not end within {PATIENCE_S} s"
        return process.returncode, said

    def run_scripts(
        self, scripts: tuple[tuple[str, str], ...], *, prefix: tuple[str, ...] = (), **variables: str
    ) -> tuple[int, str]:
        """Run jobs as Snakemake would, but without it, until one fails; exit status and what they said."""
        said = ""
        for name, text in scripts:
            script = self.folder / SCRIPTS / name
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(text, encoding="utf-8")
            finished = subprocess.run(
                [*prefix, sys.executable, str(script)],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=PATIENCE_S,
            )
            said += finished.stdout
            if finished.returncode:
                return finished.returncode, said
        return 0, said

    def tool(self, *arguments: str) -> tuple[int, str]:
        """Run coactivation-manifolds; exit status and what it said."""
        program = "import sys; from coactivation_manifolds.cli import main; sys.exit(main())"
        finished = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return finished.returncode, finished.stdout

    def results(self) -> dict[str, str]:
        """SHA-256 of each result that looks complete: hidden files are temporary, or Snakemake's; records differ."""
        found = {}
        for path in sorted((self.folder / "results").rglob("*")):
            relative = path.relative_to(self.folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_file() and not hidden and relative.parent.name != "provenance":
                found[relative.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def temporaries(self) -> list[str]:
        """Files and folders that a writer has left half done."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.glob("results/**/.*.tmp"))

    def differing(self) -> list[str]:
        """Results that are there and are not what the undisturbed run wrote."""
        return [path for path, digest in self.results().items() if self.undisturbed.get(path) != digest]

    def missing(self) -> list[str]:
        """Results of the undisturbed run that are not there."""
        return sorted(set(self.undisturbed) - set(self.results()))


def kill_session(process: subprocess.Popen[str]) -> None:
    """End a run and all its jobs as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def one_clear_error(said: str) -> str | None:
    """The first line of ours on the terminal; None where there is none, or a traceback of ours.

    Snakemake has one of its own where it can't clear away an empty folder.
    """
    lines = error_lines(said)
    ours = any(re.search(r'File ".*/(coactivation_manifolds|workflow_scripts)/', line) for line in said.splitlines())
    return lines[0] if lines and not ours else None


def make_small(folder: Path, *targets: str) -> Victim:
    """3,000 imported tokens in two shards, with a shifted control, run to ``targets``."""
    clone = Clone(folder)
    add_small_experiment(clone, shards=2)
    path = clone / "config/experiments/small.yaml"
    path.write_text(path.read_text(encoding="utf-8") + CONTROL, encoding="utf-8")
    clone.snakemake(*targets)
    victim = Victim(clone.folder)
    victim.undisturbed = victim.results()
    return victim


def add_harvested(victim: Victim) -> None:
    """Add an experiment of 300 tokens harvested with a tiny random model, in one shard of some ten parts."""
    save_model(victim.folder / "data/model")
    save_sae(victim.folder / "data/sae")
    save_jsonl(victim.folder / "data/corpus.jsonl", random_texts(n=60))
    (victim.folder / "config/experiments/tiny.yaml").write_text(HARVESTED, encoding="utf-8")
    status, said = victim.run("results/tiny/metadata/shard_stats.parquet")
    if status:
        raise RuntimeError(f"the undisturbed run of tiny failed:\n{said}")
    victim.undisturbed = victim.results()


def make_demo(folder: Path) -> Victim:
    """The demo, trained and run to its report."""
    clone = Clone(folder)
    clone.snakemake("results/demo/report.html")
    victim = Victim(clone.folder)
    victim.undisturbed = victim.results()
    return victim
