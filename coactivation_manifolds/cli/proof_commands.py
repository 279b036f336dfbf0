"""The commands that ask whether results are right and how they came about: ``verify``, ``explain``, ``export``,
``targets``; apart from the others, so that these load nothing of them.
"""

from __future__ import annotations

import argparse

PROOF_COMMANDS = ("verify", "explain", "export", "targets")
RESULTS = "a results folder, e.g. results/demo, or the experiment's name"
SAMPLE = 32


def add_proof_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Their options."""
    verify = commands.add_parser("verify", help="say whether every file is there, whole, and right")
    verify.add_argument("results", metavar="RESULTS", help=RESULTS)
    verify.add_argument("--deep", action="store_true", help="also derive numbers anew from the activations")
    verify.add_argument(
        "--sample", type=positive, default=SAMPLE, metavar="N", help=f"latents to derive anew (default {SAMPLE})"
    )
    verify.add_argument("--seed", type=int, default=0, help="which of them are chosen (default 0)")

    explain = commands.add_parser("explain", help="say how a result came about, back to the corpus or the import")
    explain.add_argument("file", metavar="FILE", help="a result, e.g. results/demo/report.html")
    explain.add_argument("--json", action="store_true", help="the whole records")

    export = commands.add_parser("export", help="copy what a paper's supplement needs into one folder, with hashes")
    export.add_argument("results", metavar="RESULTS", help=RESULTS)
    export.add_argument("folder", metavar="FOLDER", help="the folder to make")
    export.add_argument("--edges", action="store_true", help="also every pair of latents (may be gigabytes)")

    targets = commands.add_parser("targets", help="list what can be asked of snakemake, complete or missing")
    targets.add_argument("experiment", metavar="EXPERIMENT", help="its name")
    targets.add_argument("--stage", help="only one stage, e.g. geometry, with every shard and cluster")


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def run_proof_command(options: argparse.Namespace) -> int:
    """Call one of them; only its module is imported."""
    if options.command == "verify":
        from coactivation_manifolds.cli.verify import verify

        return verify(options.results, deep=options.deep, sample=options.sample, seed=options.seed)
    if options.command == "explain":
        from coactivation_manifolds.cli.explain import explain

        return explain(options.file, as_json=options.json)
    if options.command == "export":
        from coactivation_manifolds.cli.export import export

        return export(options.results, out=options.folder, edges=options.edges)
    from coactivation_manifolds.cli.targets import targets

    return targets(options.experiment, stage=options.stage)
