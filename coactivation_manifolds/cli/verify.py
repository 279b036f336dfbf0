"""``verify RESULTS``: whether every file is there, whole, and right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coactivation_manifolds.cli.inspect import missing_text
from coactivation_manifolds.cli.results_folder import config_of_results, find_results
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.experiment.expected_files import expected_files
from coactivation_manifolds.verify.deep import verify_deep
from coactivation_manifolds.verify.files import StageState, stage_order, verify_files
from coactivation_manifolds.verify.place import places_of
from coactivation_manifolds.verify.records import Records
from coactivation_manifolds.verify.repair import Problem, repair_command

INCOMPLETE = 1


def verify(name: str, *, deep: bool, sample: int, seed: int) -> int:
    """Print a table of all stages, and what is wrong, with the command that mends it.

    Returns
    -------
    int
        0 where all is right, 1 where files are missing, 4 where one is damaged, outdated or wrong.

    Raises
    ------
    ResultsError
        There are no such results.

    """
    folder = find_results(name)
    records = Records(folder)
    stages = verify_files(folder, records)
    config = config_of_results(folder)
    expected = [] if isinstance(config, str) else [path for files in expected_files(config).values() for path in files]
    told = {problem.path for state in stages.values() for problem in state.problems}
    here = [folder / Path(*path.parts[2:]) for path in expected]
    missing = [path for path in here if path not in told and not path.is_file()]
    problems = [problem for state in stages.values() for problem in state.problems]
    print(table(folder, stages))
    if deep and not problems:
        problems = deep_problems(folder, records, sample=sample, seed=seed)
    elif deep:
        print("the numbers are not derived anew until these files are mended:")
    for problem in sorted(problems, key=lambda problem: (problem.step, problem.path)):
        print(f"error: {problem.path}: {problem.what}\n  repair: {problem.repair}")
    if len(problems) > 1:
        print(f"all at once: {repair_command(problems)}")
    if problems:
        print("then make what else is asked for, and verify again: what was made from these files is made anew")
    if isinstance(config, str):
        print(f"what a finished run would have is not known: {config}")
    if missing:
        print(missing_text(folder, missing, list_all=False))
    if not problems and not missing:
        print("nothing is missing, nothing is wrong" if not isinstance(config, str) else "nothing is wrong")
    return ResultsError.exit_code if problems else INCOMPLETE if missing else 0


def deep_problems(folder: Path, records: Records, *, sample: int, seed: int) -> list[Problem]:
    """Derive the numbers of the experiment and of its controls anew, and say so."""
    problems: list[Problem] = []
    for place in places_of(folder, records):
        found = list(dict.fromkeys(verify_deep(place, sample=sample, seed=seed)))
        result = "right" if not found else f"{len(found)} wrong"
        print(f"numbers of {place.name} derived anew, {len(place.manifests)} shards, seed {seed}: {result}")
        problems += found
    return problems


def table(folder: Path, stages: dict[str, StageState]) -> str:
    """The state of all stages, one line each."""
    states: Sequence[StageState] = list(stages.values())
    n_files, n_hashed = sum(state.n_files for state in states), sum(state.n_hashed for state in states)
    lines = [f"{folder}: {n_files:,} files, {n_hashed:,} of them compared with the hash that their job recorded"]
    for name in sorted(stages, key=stage_order):
        state = stages[name]
        result = f"{len(state.problems):,} wrong" if state.problems else "right"
        lines.append(f"  {name:<13} {state.n_files:>7,} files  {state.n_hashed:>7,} by hash  {result}")
    return "\n".join(lines)
