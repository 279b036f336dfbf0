"""Run the demo's whole chain for several seeds and write the table of docs/demo.md.

    .venv/bin/python benchmarks/demo_seeds.py                      seeds 0 to 4 of the experiment demo
    .venv/bin/python benchmarks/demo_seeds.py --experiment demo_mess3 --seeds 0 1 2

Each seed is an experiment file of its own, `config/experiments/NAME_seedN.yaml` (`extends: NAME` and the seed; ignored
by git), so that its results lie beside the demo's and are made once. Seed 0 is the experiment itself where that is its
seed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from coactivation_manifolds import paths
from coactivation_manifolds.experiment.config import load_experiment

EXPERIMENTS = Path("config/experiments")
PAGE = Path("docs/demo.md")
BOUNDS = {"ring": 0.95, "simplex": 0.90}
MIN_PURITY, MIN_COVERAGE = 0.90, 0.85


def main() -> int:
    """Run, print the table, write it to the page; 1 where a seed misses a bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="demo", help="the experiment to vary (default: demo)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--cores", default="all")
    parser.add_argument("--dry-run", action="store_true", help="write the experiment files and print the command only")
    arguments = parser.parse_args()
    names = {seed: experiment_of(arguments.experiment, seed) for seed in arguments.seeds}
    targets = [str(paths.fill(paths.PLANTED_CHECK, experiment=name)) for name in names.values()]
    command = [sys.executable, "-m", "snakemake", "--profile", "local", "--cores", arguments.cores, *targets]
    print(" ".join(command))
    if arguments.dry_run:
        return 0
    subprocess.run(command, check=True)
    checks = {seed: read_check(name) for seed, name in names.items()}
    table = markdown_table(checks)
    print(table)
    put_into_page(table, arguments.experiment)
    failed = [seed for seed, check in checks.items() if not within_bounds(check)]
    if failed:
        print(f"outside the bounds: seeds {', '.join(map(str, failed))}")
    return 1 if failed else 0


def experiment_of(experiment: str, seed: int) -> str:
    """The experiment with a seed, its file written where it is not the experiment itself."""
    if load_experiment(experiment)["seed"] == seed:
        return experiment
    name = f"{experiment}_seed{seed}"
    text = f"extends: {experiment}\nseed: {seed}\n"
    file = EXPERIMENTS / f"{name}.yaml"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
    return name


def read_check(name: str) -> dict[str, Any]:
    """The final check of one experiment, with the SAE's own numbers."""
    check = json.loads(paths.fill(paths.PLANTED_CHECK, experiment=name).read_text(encoding="utf-8"))
    sae = json.loads((paths.fill(paths.TRAINED, experiment=name) / "sae_losses.json").read_text(encoding="utf-8"))
    return {**check, "sae": sae}


def within_bounds(check: dict[str, Any]) -> bool:
    """Whether both planted shapes are read well, purely and whole."""
    return all(
        check[key] is not None
        and (check[key]["r2"] or 0) >= bound
        and check[key]["purity"] >= MIN_PURITY
        and check[key]["coverage"] >= MIN_COVERAGE
        for key, bound in BOUNDS.items()
    )


def markdown_table(checks: dict[int, dict[str, Any]]) -> str:
    """One column a seed."""
    seeds = list(checks)
    lines = [f"| seed | {' | '.join(map(str, seeds))} |", f"|---|{'---|' * len(seeds)}"]

    def row(title: str, value: Any) -> None:
        lines.append(f"| {title} | {' | '.join(value(checks[seed]) for seed in seeds)} |")

    for key in BOUNDS:
        row(f"{key}: cluster, latents", lambda c, k=key: cluster_name(c[k]))
        for number in ("r2", "purity", "coverage"):
            row(f"{key}: {number.replace('r2', 'R²')}", lambda c, k=key, n=number: shown(c[k], n))
        row(f"{key}: R² over all its tokens", lambda c, k=key: shown(c[k], "r2_all_tokens"))
        for control in ("random", "matched"):
            row(
                f"{key}: the same of {control} sets, mean (largest)", lambda c, k=key, n=control: shown_control(c, k, n)
            )
        row(f"{key}: missed by cosine", lambda c, k=key: "-" if c[k] is None else str(c[k]["missed_by_cosine"]).lower())
    row("ring: radius CV, largest gap", lambda c: ring_shape(c["ring"]))
    row("clusters missed by cosine", lambda c: f"{c['n_missed_by_cosine']} of {c['n_clusters']}")
    row("loss above the perfect observer, ring", lambda c: f"{c['losses']['ring']['gap']:.4f}")
    row("the same, simplex", lambda c: f"{c['losses']['simplex']['gap']:.4f}")
    row("SAE: FVU, L0", lambda c: f"{c['sae']['fvu']:.4f}, {c['sae']['l0']:.2f}")
    row("SAE: latents that never fire", lambda c: f"{c['sae']['n_dead']} of {c['sae']['n_latents']}")
    return "\n".join(lines)


def cluster_name(cluster: dict[str, Any] | None) -> str:
    """Number and size of a cluster."""
    return "-" if cluster is None else f"{cluster['cluster_id']:04d}, {cluster['size']}"


def shown(cluster: dict[str, Any] | None, number: str) -> str:
    """One number of a cluster."""
    return "-" if cluster is None or cluster[number] is None else f"{cluster[number]:.3f}"


def shown_control(check: dict[str, Any], key: str, control: str) -> str:
    """Reading of control sets over all tokens of the process."""
    if check["controls"][key] is None:
        return "-"
    reading = check["controls"][key][control]["r2_all_tokens"]
    return f"{reading['mean']:.2f} ({reading['max']:.2f})"


def ring_shape(cluster: dict[str, Any] | None) -> str:
    """How round the ring is."""
    if cluster is None or cluster["radius_cv"] is None:
        return "-"
    return f"{cluster['radius_cv']:.2f}, {cluster['largest_gap_degrees']:.0f}°"


def put_into_page(table: str, experiment: str) -> None:
    """Replace the table between its marks in docs/demo.md."""
    first, last = f"<!-- table {experiment} -->", f"<!-- end of table {experiment} -->"
    page = PAGE.read_text(encoding="utf-8")
    if first not in page or last not in page:
        print(f"{PAGE} has no place for a table of {experiment} ({first}); not written")
        return
    before, rest = page.split(first, 1)
    _, after = rest.split(last, 1)
    PAGE.write_text(f"{before}{first}\n{table}\n{last}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
