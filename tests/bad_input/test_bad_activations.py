"""Activations made elsewhere that can't be imported: each job ends with one line, and finished files stay."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_runs import BadCase, check_case, digests, run_all
from workflow_clone import Clone

pytestmark = pytest.mark.workflow

Columns = dict[str, list]


def rows() -> Columns:
    """Ten tokens of two documents, as an import must be."""
    return {
        "doc_id": [0] * 5 + [1] * 5,
        "token_index": list(range(10)),
        "position_in_doc": [0, 1, 2, 3, 4] * 2,
        "token_id": [7] * 10,
        "feature_ids": [[1, 3, 8]] * 10,
        "activations": [[0.5, 1.0, 2.0]] * 10,
    }


def change(column: str, row: int, value: object) -> Callable[[Columns], None]:
    def apply(columns: Columns) -> None:
        columns[column] = [*columns[column]]
        columns[column][row] = value

    return apply


def drop(column: str) -> Callable[[Columns], None]:
    return lambda columns: columns.pop(column) and None


TARGET = "activations/import.json"


def case(name: str, expected: tuple[str, ...], *more: str) -> BadCase:
    settings = ", ".join(["format: parquet", f"path: in/{name}.parquet", "n_latents: 10", *more])
    return BadCase(name, f"activations: {{{settings}}}\n", TARGET, "import_activations.log", expected)


WRONG_ROWS = {
    "nan": (change("activations", 4, [0.5, float("nan"), 1.0]), ("in/nan.parquet, row 4", "NaN")),
    "negative": (change("activations", 4, [0.5, -1.0, 1.0]), ("in/negative.parquet, row 4", "-1")),
    "overflow": (change("activations", 4, [0.5, 1e5, 1.0]), ("in/overflow.parquet, row 4", "float16's range")),
    "id-range": (change("feature_ids", 6, [1, 3, 10]), ("in/id-range.parquet, row 6", "feature id 10", "n_latents")),
    "unsorted": (change("feature_ids", 6, [3, 1, 8]), ("in/unsorted.parquet, row 6: feature id 1 follows 3", "sorted")),
    "twice": (change("feature_ids", 6, [1, 1, 8]), ("in/twice.parquet, row 6: feature id 1 stands twice", "once each")),
    "lengths": (change("activations", 2, [0.5]), ("in/lengths.parquet, row 2", "3 feature_ids but 1 activations")),
    "token-twice": (change("token_index", 5, 4), ("in/token-twice.parquet, row 5", "token_index", "4")),
    "no-ids": (drop("feature_ids"), ("in/no-ids.parquet lacks the column 'feature_ids'",)),
}

CASES = [
    *(case(name, expected) for name, (_, expected) in WRONG_ROWS.items()),
    case("truncated", ("in/truncated.parquet is damaged or no Parquet file",)),
    case("absent", ("activations.path: in/absent.parquet", "give a file, a folder or a glob")),
    BadCase(
        "narrow-decoder",
        "activations: {format: parquet, path: in/right.parquet, n_latents: 10, decoder: in/decoder.npy}\n",
        "metadata/decoder.npy",
        "describe_sae.log",
        ("activations.decoder: in/decoder.npy has the shape 4 x 10", "n_latents = 10", "transposed"),
    ),
    BadCase(
        "wide-matrix",
        "activations: {format: csr, path: in/matrix.npz, n_latents: 10}\n",
        TARGET,
        "import_activations.log",
        ("in/matrix.npz has the shape 5 x 12", "activations.n_latents = 10"),
    ),
]


def make_inputs(folder: Path) -> None:
    """Right and wrong files."""
    import scipy.sparse

    folder.mkdir()
    pq.write_table(pa.table(rows()), folder / "right.parquet")
    for name, (apply, _) in WRONG_ROWS.items():
        columns = rows()
        apply(columns)
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    (folder / "truncated.parquet").write_bytes((folder / "right.parquet").read_bytes()[:-40])
    np.save(folder / "decoder.npy", np.ones((4, 10), np.float32))
    scipy.sparse.save_npz(folder / "matrix.npz", scipy.sparse.csr_matrix(np.eye(5, 12)))


@pytest.fixture(scope="module")
def run(make_clone) -> tuple[Clone, str]:
    """A finished small import, then all bad ones in one invocation; the clone, and what the terminal saw."""
    clone = make_clone()
    make_inputs(clone / "in")
    clone.write_experiment("right", "activations: {format: parquet, path: in/right.parquet, n_latents: 10}\n")
    clone.snakemake("results/right/activations/shard=000000/manifest.json")
    before = digests(clone / "results")
    output = run_all(clone, CASES)
    after = digests(clone / "results")
    assert {path: after.get(path) for path in before} == before
    assert not [path for path in after if path not in before and not path.endswith((".tmp", ".lock"))], after.keys()
    return clone, output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(run, case):
    clone, output = run
    check_case(clone, case, output)


def test_an_import_that_fails_leaves_an_earlier_one_as_it_was(run):
    clone, _ = run
    before = digests(clone / "results/right")
    pq.write_table(pa.table(rows() | {"activations": [[0.5, float("nan"), 1.0]] * 10}), clone / "in/right.parquet")
    finished = clone.snakemake("results/right/activations/shard=000000/manifest.json", check=False)
    assert finished.returncode == 1
    after = digests(clone / "results/right")
    kept = {path: digest for path, digest in before.items() if "/shard=" in path}
    assert {path: after.get(path) for path in kept} == kept
