"""Options of ``estimate``, apart from the command, so that the other commands load nothing of it."""

from __future__ import annotations

import argparse
from math import inf


def add_estimate_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("config", metavar="CONFIG", help="an experiment's name, or its YAML file")
    parser.add_argument("--cores", type=positive, help="cores that jobs share (default: of this machine)")
    parser.add_argument("--gpus", type=positive, default=1.0, help="GPUs that jobs share (default 1)")
    parser.add_argument("--jobs", type=positive, help="jobs at once; with it and without --cores, cores have no bound")
    parser.add_argument("--tokens", type=positive, help="in place of the configuration's")
    parser.add_argument("--latents", type=positive, help="of the SAE, where its name does not say")
    parser.add_argument("--mean-l0", type=positive, help="latents on a mean token, where the SAE does not state it")
    parser.add_argument(
        "--harvest-tokens-per-second", type=positive, metavar="T", help="of one harvest job, in place of the rates'"
    )
    parser.add_argument("--rates", metavar="FILE", help="rates that replace the shipped ones, in part or in whole")
    parser.add_argument(
        "--calibrate",
        nargs="+",
        metavar="RESULTS",
        help="finished runs that give the rates, best of two sizes",
    )
    parser.add_argument("--write-rates", metavar="FILE", help="write the rates that were used")
    parser.add_argument("--json", action="store_true", help="all numbers, in seconds and bytes")


def positive(text: str) -> float:
    """A number above 0; ``1_000`` and ``1e6`` are taken."""
    number = float(text)
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number
