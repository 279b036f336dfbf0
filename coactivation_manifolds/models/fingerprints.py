"""Hashes of local folders, so that results say which weights they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.storage import sha256_file


def folder_hash(folder: Path, patterns: Sequence[str]) -> str:
    """SHA-256 over names and contents of the files of a folder that match, in the order of their names.

    Raises
    ------
    InputError
        The folder does not exist or holds no such file.

    """
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist; check the path in the experiment file")
    files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
    if not files:
        raise InputError(
            f"the folder {folder} holds none of {', '.join(patterns)}; check the path in the experiment file"
        )
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{sha256_file(file)}\n".encode())
    return digest.hexdigest()
