"""Reading shards through their manifests, part by part, with their hashes checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coactivation_manifolds.activations.part_records import PART_NAME
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate
from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.paths import IMPORT_RECORD
from coactivation_manifolds.storage import TABLE_ERRORS, PathLike, command_to_restore, damaged, open_table, read_json

COLUMNS = ("doc_id", "token_index", "position_in_doc", "token_id", "feature_ids", "activations")
MANIFEST_KEYS = (
    "shard",
    "n_latents",
    "n_tokens",
    "n_entries",
    "first_token_index",
    "last_token_index",
    "n_raised_to_subnormal",
    "fingerprint",
    "parts",
)
OWN_KEY = "corpus_shard"
"""The one key of a fingerprint that differs from shard to shard: the hash of the shard's own tokens."""
MANIFEST_COUNTS = ("shard", "n_latents", "n_tokens", "n_entries", "n_raised_to_subnormal")
PART_KEYS = ("file", "rows", "entries", "sha256")


def read_manifest(path: PathLike) -> dict[str, Any]:
    """A shard's manifest.

    Raises
    ------
    InputError
        Missing, or no JSON.
    ResultsError
        Not a manifest of ours, or of a newer format version.

    """
    manifest = read_json(path)
    problem = next(manifest_problems(manifest), None)
    if problem is not None:
        raise ResultsError(f"{path} is no manifest of a shard ({problem}); {_remedy(path)}")
    return manifest


def manifest_problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What keeps an object from being a manifest; a part is a file beside it and nowhere else."""
    lacking = [key for key in MANIFEST_KEYS if key not in manifest]
    if lacking:
        yield f"it lacks {lacking[0]!r}"
        return
    yield from (f"{key} is no number" for key in MANIFEST_COUNTS if not is_count(manifest[key]))
    ends = [manifest[key] for key in ("first_token_index", "last_token_index")]
    if not all(map(is_count, ends)) and (ends != [None, None] or manifest["n_tokens"]):
        yield "its first and last tokens are no numbers"
    if not isinstance(manifest["fingerprint"], Mapping) or not isinstance(manifest["parts"], list):
        yield "its fingerprint or its list of parts is none"
        return
    for part in manifest["parts"]:
        lacking = [key for key in PART_KEYS if key not in part] if isinstance(part, Mapping) else ["file"]
        if lacking:
            yield f"it lacks {f'parts: {lacking[0]}'!r}"
        elif not isinstance(part["file"], str) or not PART_NAME.fullmatch(part["file"]):
            yield "one of its parts has no name of a part"
        elif not (is_count(part["rows"]) and is_count(part["entries"]) and isinstance(part["sha256"], str)):
            yield f"what it says of {part['file']} is of wrong types"


def is_count(value: object) -> bool:
    """Whether a value is a whole number from 0 that an index can be."""
    return type(value) is int and 0 <= value < 1 << 63


def read_manifests(paths: Sequence[PathLike]) -> list[dict[str, Any]]:
    """The manifests of one experiment's shards, in the order given, which must be the tokens' order.

    Raises
    ------
    ResultsError
        Shards of different runs, missing or out of order.

    """
    manifests = [read_manifest(path) for path in paths]
    last_token = -1
    for number, (path, manifest) in enumerate(zip(paths, manifests, strict=True)):
        if manifest["shard"] != number:
            raise ResultsError(f"{path} says that it is shard {manifest['shard']}, expected {number}; {_remedy(path)}")
        differing = _differing_key(manifests[0], manifest)
        if differing is not None:
            raise ResultsError(
                f"{path} belongs to another experiment or run than {paths[0]}: they differ in {differing}; "
                f"{_remedy(path)}"
            )
        if manifest["n_tokens"]:
            if manifest["first_token_index"] <= last_token:
                raise ResultsError(
                    f"{path} begins with token {manifest['first_token_index']}, but a shard before it ends with "
                    f"{last_token}; {_remedy(path)}"
                )
            last_token = manifest["last_token_index"]
    return manifests


def iter_parts(manifest_path: PathLike, *, verify: bool = True) -> Iterator[TokenRows]:
    """The rows of a shard, one part at a time, in token_index order.

    Parameters
    ----------
    manifest_path
        The shard's manifest; its parts lie beside it.
    verify
        Check each part's SHA-256 against the manifest.

    Raises
    ------
    ResultsError
        A part is missing, or not the one that the manifest speaks of.

    """
    manifest = read_manifest(manifest_path)
    for part in manifest["parts"]:
        yield read_listed_part(manifest_path, part, n_latents=manifest["n_latents"], verify=verify)


def read_listed_part(
    manifest_path: PathLike, part: Mapping[str, Any], *, n_latents: int, verify: bool = True, use_threads: bool = True
) -> TokenRows:
    """The rows of a part as its manifest lists it.

    Parameters
    ----------
    manifest_path
        The shard's manifest; the part lies beside it.
    part
        What the manifest says of the part.
    n_latents
        Number of latents of the SAE.
    verify
        Check the part's SHA-256.
    use_threads
        Decode columns in Arrow's threads; without, a caller can read parts side by side in threads of its own.

    Raises
    ------
    ResultsError
        The part is missing, or not the one that the manifest speaks of.

    """
    path = Path(manifest_path).with_name(part["file"])
    if not path.exists():
        raise ResultsError(f"{path} is missing, though {manifest_path} lists it; {_remedy(manifest_path, part=path)}")
    with storage_errors(path, "read"):
        content = path.read_bytes()
    if verify and hashlib.sha256(content).hexdigest() != part["sha256"]:
        raise ResultsError(
            f"{path} was changed after it was written (its SHA-256 differs from the manifest's); "
            f"{_remedy(manifest_path, part=path)}"
        )
    rows = read_part(path, n_latents, content=content, use_threads=use_threads)
    if rows.n_tokens != part["rows"] or rows.n_entries != part["entries"]:
        raise ResultsError(
            f"{path} holds {rows.n_tokens} tokens and {rows.n_entries} entries, {manifest_path} says "
            f"{part['rows']} and {part['entries']}; {_remedy(manifest_path, part=path)}"
        )
    return rows


def read_shard(manifest_path: PathLike, *, verify: bool = True) -> TokenRows:
    """All rows of a shard in memory; errors as ``iter_parts``."""
    n_latents = read_manifest(manifest_path)["n_latents"]
    return concatenate(iter_parts(manifest_path, verify=verify), n_latents)


def read_part(path: PathLike, n_latents: int, *, content: bytes | None = None, use_threads: bool = True) -> TokenRows:
    """The rows of one part file, ours or another writer's, in any row groups.

    ``content`` is the file's bytes where they were read already, ``use_threads`` as for ``read_listed_part``.

    Raises
    ------
    InputError
        Damaged, or lacking a column.

    """
    with open_table(path, content=content) as parquet:
        names = [name for name in COLUMNS if name in parquet.schema_arrow.names]
        try:
            table = parquet.read(columns=names, use_threads=use_threads)
        except TABLE_ERRORS as error:
            raise damaged(path, error) from error
    return TokenRows.from_table(table, n_latents, source=str(path))


def _differing_key(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """The first setting in which two shards differ; None where they belong together."""
    if one["n_latents"] != other["n_latents"]:
        return "n_latents"
    commits = (one.get("model_commit"), other.get("model_commit"))
    if None not in commits and commits[0] != commits[1]:
        return "model commit"
    keys = [key for key in [*one["fingerprint"], *other["fingerprint"]] if key != OWN_KEY]
    return next((key for key in keys if one["fingerprint"].get(key) != other["fingerprint"].get(key)), None)


def _remedy(manifest_path: PathLike, part: Path | None = None) -> str:
    """What to do about a shard whose files don't belong together, or one of whose parts is damaged or gone."""
    gone = [Path(manifest_path)]
    if part is not None:
        # the job that publishes an imported shard only looks at its parts: the import writes them
        gone += [part, Path(manifest_path).parents[1] / Path(IMPORT_RECORD).name]
    files = [path for path in gone if path.exists()]
    names = " and ".join(map(str, files))
    return f"delete {names} and run the same command again, which makes the shard anew: {command_to_restore(*files)}"
