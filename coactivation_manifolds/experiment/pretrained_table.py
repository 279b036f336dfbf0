"""The table of pretrained SAEs inside the installed sae-lens package, read without importing the package.

sae-lens imports torch and takes seconds; its table is a YAML file that the C loader reads in half a second. So a typo
in a release or id is found before a GPU is asked for, without a network.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from coactivation_manifolds.errors import ConfigError, InputError, nearest

TABLE_FILE = "pretrained_saes.yaml"
CANDIDATES_SHOWN = 3


@dataclass(frozen=True)
class PretrainedSae:
    """One entry of the table; what it does not state is None.

    ``l0`` and ``variance_explained`` are what its makers measured; ``norm_scaling_factor`` belongs to SAEs whose inputs
    were scaled to a fixed average norm; ``config_overrides`` are sae-lens's corrections to the SAE's own configuration.
    """

    release: str
    sae_id: str
    repo_id: str
    path: str
    model: str
    l0: float | None = None
    variance_explained: float | None = None
    neuronpedia: str | None = None
    norm_scaling_factor: float | None = None
    config_overrides: dict[str, Any] = field(default_factory=dict)


def table_path() -> Path:
    """Where the installed sae-lens keeps its table.

    Raises
    ------
    InputError
        sae-lens is not installed, or this version has no such table.

    """
    spec = importlib.util.find_spec("sae_lens")
    if spec is None or spec.origin is None:
        raise InputError(
            "sae-lens is not installed, so SAE releases can't be checked; install the package's dependencies"
        )
    path = Path(spec.origin).parent / TABLE_FILE
    if not path.is_file():
        raise InputError(
            f"{path} does not exist: this version of sae-lens has no table of pretrained SAEs; install 6.x"
        )
    return path


@lru_cache(maxsize=1)
def load_table() -> dict[str, dict[str, Any]]:
    """The table as it stands: releases by name."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with table_path().open(encoding="utf-8") as handle:
        table: dict[str, dict[str, Any]] = yaml.load(handle, Loader=loader)
    return table


def check_pretrained(release: str, sae_id: str) -> PretrainedSae | None:
    """Find an SAE in the table.

    Returns
    -------
    PretrainedSae | None
        The entry; None where ``release`` is a hub repository (``owner/name``) outside the table, which only the hub
        can check.

    Raises
    ------
    ConfigError
        The release or its SAE does not exist; the message offers the nearest.

    """
    table = load_table()
    if release not in table:
        by_repository = [name for name, entry in table.items() if entry.get("repo_id") == release]
        if by_repository:
            raise ConfigError(
                f'sae.release "{release}" is a repository; sae-lens knows it as {" or ".join(by_repository)}, with the '
                "normalisation that its SAEs need: use that name"
            )
        if release.count("/") == 1:
            return None
        raise ConfigError(
            f'there is no SAE release "{release}" in the table of sae-lens{nearest(release, table)}; set sae.release '
            "to one of "
            f"its {len(table)} releases"
        )
    entries = {str(entry["id"]): entry for entry in table[release]["saes"]}
    if sae_id not in entries:
        raise ConfigError(
            f'SAE release "{release}" has no sae_id "{sae_id}"{closest(sae_id, entries)}; it has {len(entries)} SAEs'
        )
    return entry_of(release, sae_id, table[release], entries[sae_id])


def closest(word: str, known: Iterable[str]) -> str:
    """The nearest ids, even distant ones: ids of one release share most of their letters."""
    matches = difflib.get_close_matches(word, list(known), n=CANDIDATES_SHOWN, cutoff=0.0)
    return f" (nearest: {', '.join(matches)})" if matches else ""


def entry_of(release: str, sae_id: str, group: Mapping[str, Any], entry: Mapping[str, Any]) -> PretrainedSae:
    """A row of the table as an object."""

    def number(key: str) -> float | None:
        return float(entry[key]) if entry.get(key) is not None else None

    return PretrainedSae(
        release=release,
        sae_id=sae_id,
        repo_id=str(group["repo_id"]),
        path=str(entry["path"]),
        model=str(group["model"]),
        l0=number("l0"),
        variance_explained=number("variance_explained"),
        neuronpedia=entry.get("neuronpedia"),
        norm_scaling_factor=number("norm_scaling_factor"),
        config_overrides=dict(group.get("config_overrides") or {}),
    )


def check_sae(sae: Mapping[str, Any]) -> PretrainedSae | None:
    """Check the ``sae`` section of an experiment, as far as it can be without loading anything.

    Raises
    ------
    ConfigError
        Neither or both of ``path`` and ``release`` with ``sae_id`` are given, or there is no such SAE.

    """
    release, sae_id, path = sae.get("release"), sae.get("sae_id"), sae.get("path")
    if path is not None and release is None and sae_id is None:
        return None
    if path is not None or release is None or sae_id is None:
        raise ConfigError("give either sae.release with sae.sae_id, or sae.path (a folder saved by sae-lens)")
    return check_pretrained(str(release), str(sae_id))
