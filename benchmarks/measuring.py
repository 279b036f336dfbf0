"""What all benchmarks share: tools that take turns, the machine, and the numbers of the last run."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

__all__ = [
    "in_processes",
    "largest_memory_kib",
    "machine",
    "memory_of_all_kib",
    "parser_of",
    "put_between",
    "ratio",
    "recorded",
    "run_sections",
    "shown",
    "take_turns",
    "verdict",
]

Job = TypeVar("Job")
Result = TypeVar("Result")

SECONDS_BETWEEN_LINES = 20.0
STARTED = time.perf_counter()
RESULTS = Path("docs/benchmarks")
"""One JSON file for each benchmark; the page is written from them."""

PACKAGES = (
    "numpy",
    "numba",
    "scipy",
    "pyarrow",
    "polars",
    "duckdb",
    "python-graphblas",
    "suitesparse-graphblas",
    "matplotlib",
    "torch",
    "snakemake",
)


def parser_of(description: str | None, sections: tuple[str, ...]) -> argparse.ArgumentParser:
    """Options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=sections, default=list(sections), metavar="SECTION", help=f"of {sections}"
    )
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def run_sections(name: str, arguments: argparse.Namespace, measures: dict[str, Callable[..., Any]]) -> None:
    """Measure the sections asked for; each is written when it is done, and the others keep their numbers.

    What is prepared before the first section counts as its time.
    """
    path = RESULTS / f"{name}.json"
    results = recorded(name)
    begin = STARTED
    for section in arguments.only:
        results[section] = measures[section](arguments)
        begin, spent = time.perf_counter(), time.perf_counter() - begin
        results.setdefault("wall_seconds", {})[section] = round(spent, 1)
        results["machine"] = machine(arguments.threads)
        print(section, json.dumps(results[section], indent=1), flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def in_processes(function: Callable[[Job], Result], jobs: Sequence[Job], threads: int, *, what: str) -> list[Result]:
    """The function of each job, in the jobs' order, some processes at once; says now and then how many are done."""
    begin = last = time.monotonic()
    results: list[Result] = []
    with ProcessPoolExecutor(threads) if threads > 1 else contextlib.nullcontext() as pool:
        for result in (pool.map if pool else map)(function, jobs):
            results.append(result)
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES or len(results) == len(jobs):
                last = now
                print(f"{what}: {len(results)} of {len(jobs)} after {(now - begin) / 60:.1f} minutes", flush=True)
    return results


def put_between(page: Path, name: str, text: str) -> bool:
    """Put text between the marks `<!-- NAME -->` and `<!-- end of NAME -->` of a page; False where it has none."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    whole = page.read_text(encoding="utf-8")
    if first not in whole or last not in whole:
        return False
    before, rest = whole.split(first, 1)
    _, after = rest.split(last, 1)
    page.write_text(f"{before}{first}\n{text}\n{last}{after}", encoding="utf-8")
    return True


def recorded(name: str) -> dict[str, Any]:
    """The numbers of a benchmark's last run; empty where there was none."""
    path = RESULTS / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def take_turns(
    tools: dict[str, Callable[[], Any]], repetitions: int, *, before: Callable[[], Any] | None = None
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of each tool, one after the other and again, and what each returned last; ``before`` is not timed."""
    times: dict[str, list[float]] = {name: [] for name in tools}
    last: dict[str, Any] = {}
    for _ in range(repetitions):
        for name, tool in tools.items():
            last.pop(name, None)
            if before is not None:
                before()
            begin = time.perf_counter()
            last[name] = tool()
            times[name].append(round(time.perf_counter() - begin, 6))
    return times, last


def largest_memory_kib() -> int:
    """The largest resident memory of this process and of its children that ended, KiB, by the kernel's account."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def memory_of_all_kib(processes: int) -> int:
    """An upper bound of this process and its children: its own largest memory, and that of the largest child each."""
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(own + processes * child)


def machine(threads: int) -> dict[str, Any]:
    """Processor, memory and versions."""
    model = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "versions": versions,
    }


def ratio(times: list[float], own: list[float]) -> float:
    """How many times one median is the other."""
    return float(median(times) / median(own))


def shown(times: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{median(times):.3f} ({min(times):.3f} to {max(times):.3f})"


def verdict(met: bool) -> str:
    """Whether a bar is met, in a word."""
    return "met" if met else "missed"
