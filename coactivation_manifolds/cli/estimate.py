"""``estimate CONFIG``: tokens, shards, hours, memory and disk of a run, before anyone spends a GPU day."""

from __future__ import annotations

import argparse
import json
import os
from math import inf
from pathlib import Path

from coactivation_manifolds.cli.results_folder import config_of_results, find_results
from coactivation_manifolds.cli.validate import config_folder, find_config
from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.estimate.calibrate import calibrate
from coactivation_manifolds.estimate.measured import MeasuredRun, read_run
from coactivation_manifolds.estimate.prediction import Given, Machines, predict
from coactivation_manifolds.estimate.rates import Rates, read_rates, write_rates
from coactivation_manifolds.estimate.text import estimate_json, estimate_lines
from coactivation_manifolds.experiment.files import resolve
from coactivation_manifolds.experiment.validation import find_problems


def estimate(options: argparse.Namespace) -> int:
    """Print what a run will take.

    Raises
    ------
    ConfigError
        The experiment is wrong (``validate`` says all), or its sizes or rates are not known.

    """
    path = find_config(options.config)
    folder = config_folder(path)
    problems = find_problems(path, folder)
    if problems:
        raise ConfigError(f"{problems[0]} (all problems: coactivation-manifolds validate {options.config})")
    rates = read_rates(options.rates)
    if options.calibrate:
        rates = calibrate([find_run(name, rates) for name in options.calibrate], rates)
    if options.write_rates:
        write_rates(rates, options.write_rates)
    given = Given(
        n_tokens=options.tokens,
        n_latents=int(options.latents) if options.latents else None,
        mean_l0=options.mean_l0,
        harvest_tokens_a_second=options.harvest_tokens_per_second,
    )
    cores = options.cores or (inf if options.jobs else float(os.cpu_count() or 1))
    machines = Machines(cores=cores, gpus=options.gpus, jobs=options.jobs or inf)
    found = predict(resolve(path, folder), rates, machines=machines, given=given)
    if options.json:
        print(json.dumps(estimate_json(found), indent=1))
        return 0
    for line in estimate_lines(found):
        print(line)
    return 0


def find_run(name: str, rates: Rates) -> MeasuredRun:
    """A finished run, by its results folder or its name.

    Raises
    ------
    ConfigError
        Its configuration is not known.
    ResultsError
        It has not ended.

    """
    folder: Path = find_results(name)
    config = config_of_results(folder)
    if isinstance(config, str):
        raise ConfigError(f"{folder} can't be calibrated on: {config}")
    return read_run(folder, config, rates)
