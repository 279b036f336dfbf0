"""Each writer of the library with each of its operations on files failing in turn, in a forked process each.

Run below the layer (faulty_disk.c) in a working directory; what was left is told as JSON, one line a writer and fault:
how many operations were tried, and what was found that must not be.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.index_tokens import TokensFile
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import StorageError
from coactivation_manifolds.storage import atomic_path, write_array, write_arrays, write_json, write_table, write_text

KINDS = ("kill", "eio", "enospc", "short", "torn")
DONE, TOLD, UNCLEAR = 0, 10, 11
N = 5_000


def rows() -> TokenRows:
    """Some tokens on which one latent fires."""
    index = np.arange(N, dtype=np.int64)
    return TokenRows(
        doc_id=index // 50,
        token_index=index,
        position_in_doc=(index % 50).astype(np.int32),
        token_id=(index % 97).astype(np.int32),
        offsets=np.arange(N + 1, dtype=np.int64),
        feature_ids=(index % 60).astype(np.uint16),
        activations=np.full(N, 0.5, np.float16),
        n_latents=60,
    )


def write_part(path: Path) -> None:
    """A part of a shard, committed by link."""
    writer = ShardWriter(path.parent, shard=0, n_latents=60, fingerprint={"x": 1})
    writer.write_part(0, rows(), first_batch=0, last_batch=0)


def write_tokens(path: Path) -> None:
    """The index's descriptions of the tokens, as Arrow writes them."""
    with atomic_path(path) as temporary, TokensFile(temporary) as tokens:
        tokens.add(rows())


TABLE = pa.table({"a": np.arange(N), "b": np.random.default_rng(0).random(N)})
WRITERS: dict[str, Callable[[Path], None]] = {
    "t.parquet": lambda path: write_table(TABLE, path, row_group_size=1_000),
    "a.npy": lambda path: write_array(np.arange(N), path),
    "a.npz": lambda path: write_arrays({"x": np.arange(N), "y": np.eye(20)}, path),
    "j.json": lambda path: write_json({"numbers": list(range(N))}, path),
    "p.html": lambda path: write_text("x" * 100_000, path),
    "tokens.arrow": write_tokens,
    "part-00000.parquet": write_part,
}


def main() -> int:
    """Try all."""
    layer = ctypes.CDLL(os.environ["LD_PRELOAD"])
    for name, write in WRITERS.items():
        path = Path("results") / name
        layer.fault_set(b"none", 0)
        write(path)
        n_operations = int(layer.fault_count())
        new = path.read_bytes()
        for kind in KINDS:
            found = [
                f"{at}: {wrong}"
                for at in range(1, n_operations + 1)
                if (wrong := try_one(layer, write, path, kind, at, new)) is not None
            ]
            sys.stdout.write(json.dumps({"file": name, "kind": kind, "tried": n_operations, "wrong": found}) + "\n")
    return 0


def try_one(
    layer: ctypes.CDLL, write: Callable[[Path], None], path: Path, kind: str, at: int, new: bytes
) -> str | None:
    """What is wrong after one operation failed; None where all is as it must be."""
    for file in path.parent.iterdir():
        file.unlink()
    child = os.fork()
    if child == 0:
        layer.fault_set(kind.encode(), at)
        os._exit(status_of(write, path))
    status = os.waitpid(child, 0)[1]
    killed, code = os.WIFSIGNALED(status), os.waitstatus_to_exitcode(status)
    left = [file.name for file in path.parent.iterdir() if file != path]
    if path.exists() and path.read_bytes() != new:
        return "looks complete and is not"
    if (code == DONE) != path.exists() and not killed:
        return f"ended with {code}, and the file is {'there' if path.exists() else 'not there'}"
    if killed:
        return left_after_kill(write, path) if (kind, code) == ("kill", -signal.SIGKILL) else f"died of {code}"
    if left:
        return f"left {left[0]}"
    if code not in (DONE, TOLD) or (kind == "short" and code != DONE):
        return f"ended with {code}"
    return None


def left_after_kill(write: Callable[[Path], None], path: Path) -> str | None:
    """What the next writer of the same file leaves lying of the killed one's; None where that is nothing."""
    write(path)
    left = [file.name for file in path.parent.iterdir() if file != path]
    return f"the next writer left {left[0]}" if left else None


def status_of(write: Callable[[Path], None], path: Path) -> int:
    """How a write ended."""
    try:
        write(path)
    except StorageError:
        return TOLD
    except BaseException:
        return UNCLEAR
    return DONE


if __name__ == "__main__":
    sys.exit(main())
