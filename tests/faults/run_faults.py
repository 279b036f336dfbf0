"""Fault runs on tiny experiments, seeded: what was tried, what the next run made of it, what was lost (nothing).

.venv/bin/python tests/faults/run_faults.py --runs 200        (make test-faults N=200)
.venv/bin/python tests/faults/run_faults.py --demo --runs 10

Writes docs/reliability.json after every run, so that what was tried stays when it is stopped; docs/write_reliability.py
makes the page of it. Exit status 1 where anything was lost or unclear. Mounting small and read-only file systems needs
root, the layer of failing writes a C compiler; without, those runs are counted as not possible.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# so that it runs as a script: the imports below need it
sys.path += [str(HERE.parent), str(HERE.parents[1])]

from damage_runs import DAMAGES, DamageCase, damage_and_look, kinds_of, suffix_in_words  # noqa: E402
from disk_layer import compile_layer  # noqa: E402
from fault_runs import ALONE, FAULTS, LOST, UNCLEAR, Case, Measured, NotPossibleError, Outcome, measure  # noqa: E402
from victims import STAGES, STAGES_OF_DEMO, Stage, Victim, add_harvested, make_demo, make_small  # noqa: E402

NOT_POSSIBLE = "not possible here"
DAMAGE_EVERY = 3
"""One run in three damages a stored file, the others disturb a job."""

Run = dict[str, Any]


def main() -> int:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", help="only faults, stages or files whose names hold a word"
    )
    parser.add_argument("--resume", action="store_true", help="go on after the runs that are in the file already")
    parser.add_argument("--keep", type=Path, help="a folder for the undisturbed run, used again where it is there")
    parser.add_argument("--demo", action="store_true", help="disturb the demo, in place of the tiny experiments")
    parser.add_argument("--out", type=Path, default=Path("docs/reliability.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        layer = compile_layer(folder)
        victim = undisturbed_run(options.keep or folder / "undisturbed", demo=options.demo)
        others, runs = earlier_runs(options.out, options.seed, demo=options.demo)
        runs = runs if options.resume else []
        bench = Bench(victim, folder, layer)
        stages = STAGES_OF_DEMO if options.demo else STAGES
        todo = chosen(schedule(victim, stages, options.seed), options.only)
        for number in range(len(runs), options.runs):
            began = time.monotonic()
            run = bench.run(todo[number % len(todo)], f"{options.seed}:{number}")
            runs.append(run | {"demo": options.demo})
            seconds = time.monotonic() - began
            print(f"{number + 1:4d} {seconds:6.1f} s  {run['outcome']:<18} {run['fault']}, {run['on']}", flush=True)
            if run["outcome"] in (LOST, UNCLEAR):
                print(f"     {run['said']}", flush=True)
            write(options.out, options.seed, [*runs, *others])
    return int(any(run["outcome"] in (LOST, UNCLEAR) for run in runs))


def undisturbed_run(folder: Path, *, demo: bool) -> Victim:
    """The experiments, run to their end; those of an earlier call where the folder is there."""
    known = folder / "undisturbed.json"
    if known.exists():
        return Victim(folder, json.loads(known.read_text(encoding="utf-8")))
    if demo:
        victim = make_demo(folder)
    else:
        victim = make_small(folder, "results/small/report.html")
        add_harvested(victim)
    known.write_text(json.dumps(victim.undisturbed), encoding="utf-8")
    return victim


def schedule(victim: Victim, stages: Sequence[Stage], seed: int) -> list[tuple[str, Stage | str, str]]:
    """Every fault on every stage, and between them every damage to every kind of file: in a seeded order."""
    chance = random.Random(seed)
    disturbed: list[tuple[str, Stage | str, str]] = [(fault, stage, stage.name) for fault in FAULTS for stage in stages]
    kinds = kinds_of(victim, chance)
    damaged: list[tuple[str, Stage | str, str]] = [(each, path, kind) for each in DAMAGES for path, kind in kinds]
    chance.shuffle(disturbed)
    chance.shuffle(damaged)
    joined = []
    for number in range(len(disturbed) + len(damaged)):
        first, second = (damaged, disturbed) if number % DAMAGE_EVERY == 0 else (disturbed, damaged)
        joined.append((first or second).pop())
    return joined


def chosen(todo: list[tuple[str, Stage | str, str]], words: list[str] | None) -> list[tuple[str, Stage | str, str]]:
    """Those whose fault, stage or file holds a word."""
    if words is None:
        return todo
    return [each for each in todo if any(word in f"{each[0]} {each[2]}" for word in words)]


class Bench:
    """Makes a copy for each run, and measures each stage once, before it is disturbed."""

    def __init__(self, victim: Victim, folder: Path, layer: Path | None) -> None:
        self._victim, self._folder, self._layer = victim, folder, layer
        self._measured: dict[str, Measured] = {}

    def run(self, each: tuple[str, Stage | str, str], seed: str) -> Run:
        """One fault run."""
        fault, on, name = each
        with_copy = self._folder / "copy"
        outcome = self._disturb(fault, on, random.Random(f"{seed}:{fault}:{name}"), with_copy)
        said = outcome.said.replace(str(with_copy), "...")
        form = "" if isinstance(on, Stage) else suffix_in_words(on)
        return {"fault": fault, "on": name, "form": form, "outcome": outcome.what, "said": said}

    def _disturb(self, fault: str, on: Stage | str, chance: random.Random, folder: Path) -> Outcome:
        try:
            if isinstance(on, str):
                return damage_and_look(DamageCase(self._copy(folder), on, chance), DAMAGES[fault])
            n_operations, seconds, scripts = self._measure(on, folder)
            scripts = scripts if fault.endswith(ALONE) else ()
            return FAULTS[fault](Case(self._copy(folder), on, chance, self._layer, n_operations, seconds, scripts))
        except NotPossibleError as error:
            return Outcome(NOT_POSSIBLE, str(error))

    def _copy(self, folder: Path) -> Victim:
        shutil.rmtree(folder, ignore_errors=True)
        return self._victim.copy(folder)

    def _measure(self, stage: Stage, folder: Path) -> Measured:
        if stage.name not in self._measured:
            self._measured[stage.name] = measure(self._copy(folder), stage, self._layer)
        return self._measured[stage.name]


def earlier_runs(path: Path, seed: int, *, demo: bool) -> tuple[list[Run], list[Run]]:
    """The runs of a file of the same seed: those that stay, on other experiments, and those to go on after."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    runs = found["runs"] if found.get("seed") == seed else []
    return [run for run in runs if run["demo"] != demo], [run for run in runs if run["demo"] == demo]


def write(path: Path, seed: int, runs: list[Run]) -> None:
    """All runs so far."""
    all_of = {"fault": [*FAULTS, *DAMAGES], "stage": [stage.name for stage in STAGES]}
    content = {"seed": seed, "system": f"{platform.system()} {platform.machine()}", "all": all_of, "runs": runs}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
