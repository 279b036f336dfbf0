"""Reads the command line and calls one command; errors become one line and an exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from coactivation_manifolds.cli.estimate_options import add_estimate_options
from coactivation_manifolds.cli.proof_commands import PROOF_COMMANDS, add_proof_commands, run_proof_command
from coactivation_manifolds.errors import CoactivationError, StorageError, one_line
from coactivation_manifolds.job import about_the_machine

PROGRAM = "coactivation-manifolds"
EXIT_CODES = (
    "exit codes: 0 all well; 1 defect or incomplete results; 2 wrong settings or command line; "
    "3 wrong or missing input; 4 wrong or missing results; 5 a guard rail; 6 disk or permissions"
)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Look at experiments and their results. Results themselves are made by snakemake (see README.md).",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version(PROGRAM)}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    validate = commands.add_parser("validate", help="say everything that is wrong with an experiment file")
    validate.add_argument("config", metavar="CONFIG", help="an experiment's name, or its YAML file")

    estimate = commands.add_parser("estimate", help="say how long a run will take, and what memory and disk it needs")
    add_estimate_options(estimate)

    inspect = commands.add_parser(
        "inspect", help="say what results there are, how large, and whether they are complete"
    )
    inspect.add_argument(
        "results", metavar="RESULTS", help="a results folder, e.g. results/demo, or the experiment's name"
    )
    inspect.add_argument("--verify", action="store_true", help="also compare every part with the hash in its manifest")
    inspect.add_argument("--missing", action="store_true", help="list every missing file")

    cut = commands.add_parser("slice", help="write the tokens on which chosen latents fire")
    cut.add_argument("results", metavar="RESULTS", help="a results folder, e.g. results/demo, or the experiment's name")
    cut.add_argument("--features", type=int, nargs="+", required=True, metavar="ID", help="latents, e.g. 3 17 200")
    cut.add_argument("--out", required=True, metavar="FILE.parquet", help="the file to write")

    headline = commands.add_parser("headline", help="say where the report is, and the few numbers that matter most")
    headline.add_argument(
        "results", metavar="RESULTS", help="a results folder, e.g. results/demo, or the experiment's name"
    )
    add_proof_commands(commands)

    published = commands.add_parser(
        "compare-published", help="compare clusters with sets of latents that were published"
    )
    published.add_argument(
        "results", metavar="RESULTS", help="a results folder, e.g. results/demo, or the experiment's name"
    )
    published.add_argument("published", metavar="SETS.yaml", help="the sets, e.g. docs/published/days.yaml")
    published.add_argument("--out", metavar="FILE.parquet", help="also write every clustering's nearest cluster")
    return parser


def run(options: argparse.Namespace) -> int:
    """Call the command; only its module is imported."""
    if options.command == "validate":
        from coactivation_manifolds.cli.validate import validate

        return validate(options.config)
    if options.command == "estimate":
        from coactivation_manifolds.cli.estimate import estimate

        return estimate(options)
    if options.command == "inspect":
        from coactivation_manifolds.cli.inspect import inspect

        return inspect(options.results, verify=options.verify, list_missing=options.missing)
    if options.command == "slice":
        from coactivation_manifolds.cli.slice import slice_rows

        return slice_rows(options.results, options.features, out=options.out)
    if options.command in PROOF_COMMANDS:
        return run_proof_command(options)
    if options.command == "compare-published":
        from coactivation_manifolds.cli.compare_published import compare_published

        return compare_published(options.results, options.published, out=options.out)
    from coactivation_manifolds.cli.headline import headline

    return headline(options.results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        return run(make_parser().parse_args(arguments))
    except CoactivationError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output went away, e.g. `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        message = about_the_machine(error)
        if message is None:
            raise
        print(f"error: {one_line(message)}", file=sys.stderr)
        return StorageError.exit_code
    except KeyboardInterrupt:
        return 130
