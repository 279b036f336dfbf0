"""What it takes to make an experiment again: the command and the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from coactivation_manifolds.errors import printable


def command(name: str) -> str:
    """The command that makes an experiment's report, or finds that there is nothing to do."""
    return f"snakemake --profile local results/{name}/report.html"


def config_text(config: Mapping[str, Any]) -> str:
    """The full configuration, defaults included, as YAML."""
    text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=110)
    return "\n".join(map(printable, text.split("\n")))
