"""What it takes to make an experiment again: the command, the configuration, the versions."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import yaml

from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION

PACKAGE = "coactivation-manifolds"


def command(name: str) -> str:
    """The command that makes an experiment's report, or finds that there is nothing to do."""
    return f"snakemake --profile local results/{name}/report.html"


def config_text(config: Mapping[str, Any]) -> str:
    """The full configuration, defaults included, as YAML."""
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=110)


def versions() -> list[tuple[str, str]]:
    """Python, this package with its algorithm versions, and the packages that it needs at run time."""
    stages = ", ".join(f"{stage} {number}" for stage, number in ALGORITHM_VERSION.items())
    found = [("Python", platform.python_version()), (PACKAGE, _version(PACKAGE)), ("algorithm versions", stages)]
    return [*found, *((name, _version(name)) for name in required_packages())]


def required_packages() -> list[str]:
    """Names of the packages that this one requires, without its extras."""
    try:
        requirements = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    return [re.split(r"[^A-Za-z0-9._-]", text)[0] for text in requirements if "extra ==" not in text]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
