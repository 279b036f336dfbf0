"""Two runs at once in one clone, their jobs killed at random: what the coordinators hold meanwhile, and what stays."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from disk_layer import SCRIPTS
from victims import Victim
from workflow_clone import ROOT, Clone, add_small_experiment

from coactivation_manifolds import paths
from coactivation_manifolds.activations.importers import publish_import_shard
from coactivation_manifolds.activations.index_build import build_index
from coactivation_manifolds.cooccurrence.candidates import merge_candidates
from coactivation_manifolds.cooccurrence.recount import recount_shard
from coactivation_manifolds.cooccurrence.shard_counts import count_shard
from coactivation_manifolds.file_kinds import kind_of
from coactivation_manifolds.similarity.edges import reduce_counts

KILLED = 0.1
"""Share of jobs that are to be killed; some have ended when their time comes."""
RETRIES = 20
LOOK_EVERY_S = 0.2
LIFE_S = 1.2
"""About as many seconds of a processor as such a small job takes: one that is to be killed is killed within them.

Counted in the processor's time, so that on a busy machine, too, some are killed while they write.
"""
PATIENCE_S = 3 * 3600
JACCARD_FLOOR, MIN_COUNT = 0.02, 5
"""As in the small experiment (workflow_clone.py)."""
TARGETS = (paths.EDGES, paths.INDEX_TOKEN_ROWS)


@dataclass(frozen=True)
class Sample:
    """What a coordinator held when so many shards were counted, and counted again in the second pass."""

    counted: int
    recounted: int
    resident_mb: float
    descriptors: int


@dataclass
class Coordinator:
    """One snakemake on one experiment."""

    experiment: str
    process: subprocess.Popen[bytes]
    log: Path
    samples: list[Sample] = field(default_factory=list)

    def look(self, folder: Path) -> None:
        """Take a sample, unless it has ended."""
        counted = folder / f"results/{self.experiment}/cooccurrence"
        if self.process.poll() is not None:
            return
        n_recounted = len(list(counted.glob("shard=??????.recount.parquet")))
        n_counted = len(list(counted.glob("shard=??????.parquet")))
        try:
            process = psutil.Process(self.process.pid)
            sample = Sample(n_counted, n_recounted, round(process.memory_info().rss / 1e6, 1), process.num_fds())
        except psutil.Error:
            return
        if sample.resident_mb:  # a process that is about to end has given its memory back
            self.samples.append(sample)


@dataclass
class Kills:
    """Chooses which jobs are killed, and when.

    Attributes
    ----------
    chance
        Seeded; asked for each job in the order in which they are first seen.
    share
        Of jobs to be killed.
    seen
        All jobs so far.
    due
        After how many seconds of work each chosen one is to be killed.
    done
        How many were killed, by rule.

    """

    chance: random.Random
    share: float = KILLED
    seen: set[int] = field(default_factory=set)
    due: dict[int, float] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def look(self, coordinator: Coordinator) -> None:
        """Note new jobs, and kill those whose time has come."""
        for job, rule in jobs_of(coordinator):
            key = hash(job)
            if key not in self.seen:
                self.seen.add(key)
                if self.chance.random() < self.share:
                    self.due[key] = self.chance.uniform(0, LIFE_S)
            if key in self.due and worked_s(job) >= self.due[key]:
                del self.due[key]
                job.kill()
                self.done[rule] += 1


def worked_s(job: psutil.Process) -> float:
    """Seconds of a processor that a job has had; none of one that has ended."""
    try:
        return float(sum(job.cpu_times()[:2]))
    except psutil.Error:
        return 0.0


def jobs_of(coordinator: Coordinator) -> list[tuple[psutil.Process, str]]:
    """The processes that do a job's work, each with its rule."""
    found = []
    try:
        for process in psutil.Process(coordinator.process.pid).children(recursive=True):
            words = words_of(process)
            if words and SCRIPTS in words[-1] and "-c" not in words:
                found.append((process, Path(words[-1]).suffixes[-2].removeprefix(".")))
    except psutil.Error:
        pass  # one of them has ended while it was looked at
    return found


def words_of(process: psutil.Process) -> list[str]:
    """The command line; none of a process that has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def start(folder: Path, experiment: str, temporary: Path) -> Coordinator:
    """Start snakemake on what one experiment is asked for."""
    log = folder / f"{experiment}.said"
    asked = [path.format(experiment=experiment) for path in TARGETS]
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "--cores", "2", "--retries", str(RETRIES)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(temporary)}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--", *asked], cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    return Coordinator(experiment, process, log)


@dataclass
class Soaked:
    """What is there after a soak."""

    victim: Victim
    temporary: Path
    coordinators: list[Coordinator]
    kills: Kills

    def leftovers(self) -> dict[str, list[str]]:
        """What should not be there, by kind."""
        folder = self.victim.folder
        own = folder / ".snakemake"
        return {
            "files in results/ that are no result": list(unknown_files(folder)),
            "temporary files in results/": self.victim.temporaries(),
            "locks": names_below(own / "locks"),
            "jobs noted as incomplete": names_below(own / "incomplete"),
            "processes": [str(pid) for each in self.coordinators for pid in members(each.process.pid)],
            "temporary folders and files": names_below(self.temporary),
            "scripts of jobs": names_below(own / "scripts"),
        }


def soak(folder: Path, experiments: Mapping[str, int], *, seed: int, share: float = KILLED) -> Soaked:
    """Run all experiments at once, with kills, to their end."""
    temporary = folder.with_name("temporary")
    temporary.mkdir(parents=True)
    clone = with_experiments(folder, experiments)
    coordinators = [start(clone.folder, name, temporary) for name in experiments]
    kills = Kills(random.Random(seed), share)
    until = time.monotonic() + PATIENCE_S
    while any(each.process.poll() is None for each in coordinators) and time.monotonic() < until:
        for each in coordinators:
            each.look(clone.folder)
            kills.look(each)
        time.sleep(LOOK_EVERY_S)
    return Soaked(Victim(clone.folder), temporary, coordinators, kills)


def with_experiments(folder: Path, experiments: Mapping[str, int]) -> Clone:
    """A clone with one small imported experiment for each name, of so many shards."""
    clone = Clone(folder)
    for name, shards in experiments.items():
        add_small_experiment(clone, name, shards=shards)
    return clone


def unknown_files(folder: Path) -> Iterator[str]:
    """Files below results/ that no line of the table of kinds names, and that are no record."""
    for path in sorted((folder / "results").rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and path.parent.name != "provenance" and kind_of(relative) is None:
            yield relative


def names_below(folder: Path) -> list[str]:
    """What lies in a folder; nothing where there is none."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def members(session: int) -> list[int]:
    """Processes of a session that still live."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def undisturbed(folder: Path, experiments: Mapping[str, int]) -> dict[str, str]:
    """SHA-256 of what the same experiments give undisturbed: imported by Snakemake, the rest in this process."""
    victim = Victim(with_experiments(folder, experiments).folder)
    given = [path.format(experiment=name) for name in experiments for path in (paths.IMPORT_RECORD, paths.DECODER)]
    status, said = victim.run(*given)
    if status:
        raise RuntimeError(f"the undisturbed import failed:\n{said}")
    for name, shards in experiments.items():
        count_and_index(folder, name, shards)
    return victim.results()


def count_and_index(folder: Path, name: str, shards: int) -> None:
    """All that follows after the import of an experiment, without Snakemake."""

    def at(template: str, shard: int = 0) -> Path:
        return folder / paths.fill(template, experiment=name, shard=shard)

    def each(template: str) -> list[Path]:
        return [at(template, shard) for shard in range(shards)]

    for shard, manifest in enumerate(each(paths.MANIFEST)):
        publish_import_shard(shard, record_path=at(paths.IMPORT_RECORD), manifest_path=manifest)
        count_shard(
            manifest,
            jaccard_floor=JACCARD_FLOOR,
            positions=None,
            threads=1,
            counts_path=at(paths.SHARD_COUNTS, shard),
            marginals_path=at(paths.SHARD_MARGINALS, shard),
            totals_path=at(paths.SHARD_TOTALS, shard),
        )
    merge_candidates(
        each(paths.SHARD_COUNTS),
        each(paths.SHARD_MARGINALS),
        jaccard_floor=JACCARD_FLOOR,
        candidates_path=at(paths.CANDIDATES),
    )
    for shard, manifest in enumerate(each(paths.MANIFEST)):
        recount_shard(
            manifest,
            counts_path=at(paths.SHARD_COUNTS, shard),
            marginals_path=at(paths.SHARD_MARGINALS, shard),
            candidates_path=at(paths.CANDIDATES),
            positions=None,
            threads=1,
            recount_path=at(paths.SHARD_RECOUNT, shard),
        )
    reduce_counts(
        each(paths.SHARD_COUNTS),
        each(paths.SHARD_RECOUNT),
        each(paths.SHARD_MARGINALS),
        each(paths.SHARD_TOTALS),
        decoder_path=at(paths.DECODER),
        jaccard_floor=JACCARD_FLOOR,
        min_count=MIN_COUNT,
        min_firings=1,
        max_density=None,
        edges_path=at(paths.EDGES),
        totals_path=at(paths.TOTALS),
        tail_path=at(paths.SIMILARITY_TAIL_TABLE),
    )
    build_index(
        each(paths.MANIFEST),
        offsets_path=at(paths.INDEX_OFFSETS),
        token_rows_path=at(paths.INDEX_TOKEN_ROWS),
        values_path=at(paths.INDEX_VALUES),
        tokens_path=at(paths.INDEX_TOKENS),
        threads=1,
    )
