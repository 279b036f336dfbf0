"""What is looked at before a run but never at parse: the files named, the table of pretrained SAEs, doubtful settings.

Dry runs work without the data, so a missing file is no problem of the configuration itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from coactivation_manifolds.errors import CoactivationError, InputError, path_errors
from coactivation_manifolds.experiment.config import is_imported, n_shards
from coactivation_manifolds.experiment.files import EXPERIMENTS, LOCAL_PATHS, Config

MADE_BY_THE_WORKFLOW = "results/"
FOLDER_MUST_HOLD = {
    ("model", "path"): ("config.json", "a model saved by transformers"),
    ("sae", "path"): ("cfg.json", "an SAE saved by sae-lens"),
}
GOOD_SHARD = 250_000
"""Tokens of a shard: larger ones save little and need more memory (docs/methods.md)."""
LARGE_SHARD = 1_000_000
MANY_TOKENS = 500_000
MANY_SHARDS = 5_000


def missing_files(config: Config) -> list[str]:
    """Files and folders that an experiment names but that do not lie here, but for those that the workflow makes."""
    found = []
    for section, key in LOCAL_PATHS:
        value = (config.get(section) or {}).get(key)
        if value is None or value.startswith(MADE_BY_THE_WORKFLOW):
            continue
        path = Path(value)
        try:
            with path_errors(f"{section}.{key}", value):
                path.exists()
        except InputError as error:
            found.append(str(error))
            continue
        if (section, key) in FOLDER_MUST_HOLD:
            needed, what = FOLDER_MUST_HOLD[section, key]
            if not path.is_dir():
                found.append(f"{section}.{key}: the folder {value} does not exist{seen_from(path)}")
            elif not (path / needed).is_file():
                found.append(f"{section}.{key}: {value} holds no {needed}, so it is not {what}")
        elif not matches(value):
            what = "no file matches" if re.search(r"[*?\[]", value) else "there is no file or folder"
            found.append(f"{section}.{key}: {what} {value}{seen_from(path)}")
        elif path.is_dir() and not any(path.iterdir()):
            found.append(f"{section}.{key}: the folder {value} is empty")
    return found


def matches(pattern: str) -> bool:
    """Whether a file, a folder or a glob matches anything."""
    path = Path(pattern)
    try:
        if path.exists():
            return True
        relative = path.relative_to(path.anchor)
        return any(Path(path.anchor).glob(str(relative))) if relative.parts else False
    except (OSError, ValueError):  # too long, a zero in it, or no glob: "a**b"
        return False


def seen_from(path: Path) -> str:
    """From where a relative path is seen; nothing for an absolute one."""
    return "" if path.is_absolute() else f" (seen from {Path.cwd()})"


def pretrained_problems(config: Config) -> list[str]:
    """What sae-lens's table of pretrained SAEs says against release and id, offline; takes half a second."""
    sae = config.get("sae") or {}
    if sae.get("release") is None:
        return []
    from coactivation_manifolds.experiment.pretrained_table import check_pretrained

    try:
        check_pretrained(sae["release"], sae["sae_id"])
    except CoactivationError as error:
        return [str(error)]
    return []


def smallest_shard(jaccard_floor: float) -> int:
    """Tokens from which on a shard is large enough for a floor tau: 1,000 / tau, and none where tau is 0.

    Two latents that fire on a thousandth of the tokens each, as the mean latent does where 64 of 65,536 fire on a
    token, have a union of about 2 N / 1,000 in N tokens; one joint firing reaches the floor as long as tau times that
    is below 1, that is up to N = 500 / tau. Twice that, so that it takes two.
    """
    return round(1_000 / jaccard_floor) if jaccard_floor > 0 else 0


def shard_warnings(config: Config, n_tokens: int, setting: str) -> list[str]:
    """Whether shards are too small for the floor, or so large that counting one needs much memory.

    Parameters
    ----------
    config
        An experiment.
    n_tokens
        Tokens of all shards.
    setting
        The key that decides the size of a shard, and its value.

    """
    shards, floor = n_shards(config), config["similarity"]["jaccard_floor"]
    if shards > 1 and n_tokens // shards < smallest_shard(floor) and n_tokens >= MANY_TOKENS:
        return [
            f"{setting} makes shards of about {n_tokens // shards:,} tokens, small for similarity.jaccard_floor = "
            f"{floor}: below {smallest_shard(floor):,} tokens most pairs that fire together once or twice reach it and "
            f"are written; {GOOD_SHARD:,} is good, {advised_shards(n_tokens)} in all"
        ]
    if n_tokens // shards > LARGE_SHARD:
        return [
            f"{setting} makes shards of about {n_tokens // shards:,} tokens: one job counts each of them in memory; "
            f"{GOOD_SHARD:,} is good, {advised_shards(n_tokens)} in all"
        ]
    return []


def advised_shards(n_tokens: int) -> str:
    """How many shards of a good size the tokens make."""
    shards = max(1, round(n_tokens / GOOD_SHARD))
    return f"{shards:,} {'shard' if shards == 1 else 'shards'}"


def warnings(config: Config, path: Path) -> list[str]:
    """Settings that are legal but seldom meant, one line each; a warning is no error."""
    found = []
    if path.parent.name != EXPERIMENTS or path.suffix != ".yaml":
        found.append(f"the workflow reads config/experiments/{path.stem}.yaml only; this file lies elsewhere: {path}")
    shards = n_shards(config)
    if shards > MANY_SHARDS:
        found.append(f"{shards:,} shards make as many jobs several times over; larger shards make a quicker plan")
    if is_imported(config):
        return found
    corpus, harvest = config["corpus"], config["harvest"]
    found += shard_warnings(config, corpus["n_tokens"], f"harvest.tokens_per_shard = {harvest['tokens_per_shard']:,}")
    if harvest["device"] == "cpu" and harvest["gpus_per_job"] > 0:
        found.append("harvest.gpus_per_job asks for a GPU that harvest.device: cpu does not use; set it to 0")
    if "training" in config and not str(config["model"]["path"]).startswith(f"results/{config['name']}/trained/"):
        found.append("training is given, but model.path is not results/{experiment}/trained/model: it will not be used")
    unpinned = [
        name
        for name, value in (("model.revision", config["model"]), ("corpus.revision", corpus))
        if value["name"] is not None and value["revision"] is None
    ]
    if unpinned:
        found.append(
            f"{' and '.join(unpinned)}: null takes the newest commit of the main branch; "
            "give a commit, so that the same run can be made again"
        )
    return found
