"""What fuzzing and reading with hostile eyes found, each as the smallest file that showed it."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from coactivation_manifolds.activations.activation_reader import read_manifest
from coactivation_manifolds.activations.importers import rows_told
from coactivation_manifolds.activations.importers.cutting import open_source
from coactivation_manifolds.activations.importers.token_table import read_token_texts
from coactivation_manifolds.activations.row_checks import nullable_column
from coactivation_manifolds.corpus import local_files
from coactivation_manifolds.corpus.sources import read_documents
from coactivation_manifolds.errors import ConfigError, InputError, ResultsError
from coactivation_manifolds.experiment.yaml_file import read_yaml
from coactivation_manifolds.figures.token_names import LONGEST, TokenNames
from coactivation_manifolds.models.describe import read_decoder
from coactivation_manifolds.schemas import VOCAB
from coactivation_manifolds.storage import open_table, read_array, read_json

# YAML


@pytest.mark.parametrize(
    "value",
    ['!!int ""', '!!float ""', "!!bool perhaps", "!!timestamp soon", "!!int 1:x", "1:" * 400 + "1.5", "!!null [1]"],
)
def test_tags_that_the_text_does_not_fit(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.yaml").write_text(f"seed: {value}\n")
    with pytest.raises(ConfigError, match=r"a value can't be read|not YAML|a number of"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize("value", ["9" * 5_000, "0x" + "f" * 5_000, "1" + "_0" * 400, "1." + "0" * 400])
def test_numbers_too_long_to_be_written(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.yaml").write_text(f"a: 1\nseed: {value}\n")
    with pytest.raises(ConfigError, match="line 2: found a number of"):
        read_yaml(tmp_path / "a.yaml")


# JSON


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "9" * 5_000 + "}", '{"a": "\udc80"}'])
def test_json_too_deep_or_with_numbers_too_long(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match="is damaged"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("version", ["1e999", "[]", '"x"', "9" * 400])
def test_versions_that_are_no_numbers(tmp_path: Path, version: str) -> None:
    (tmp_path / "a.json").write_text(f'{{"format_version": {version}}}')
    with pytest.raises(ResultsError, match="format version"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "change", [{"n_latents": "60"}, {"parts": None}, {"parts": [3]}, {"fingerprint": []}, {"shard": True}]
)
def test_manifests_of_wrong_types(tmp_path: Path, change: dict[str, Any]) -> None:
    counts = dict.fromkeys(("shard", "n_latents", "n_tokens", "n_entries", "n_raised_to_subnormal"), 0)
    right = counts | {"first_token_index": None, "last_token_index": None, "fingerprint": {}, "parts": []}
    (tmp_path / "manifest.json").write_text(json.dumps(right))
    read_manifest(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text(json.dumps(right | change))
    with pytest.raises(ResultsError, match="is no manifest of a shard"):
        read_manifest(tmp_path / "manifest.json")


# corpora


@pytest.mark.parametrize("line", ['{"text": ' + "9" * 5_000 + "}", "[" * 100_000])
def test_lines_of_json_that_python_refuses(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="line 1: no JSON"):
        list(read_documents({"source": "jsonl", "path": str(tmp_path / "a.jsonl")}))


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz", "a.txt", "a.parquet"])
def test_documents_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(local_files, "MAX_DOCUMENT_BYTES", 1_000_000)
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"text": ["a" * 2_000_000]}), tmp_path / name)
    else:
        content = bytes(2_000_000)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    source = {"txt": "text"}.get(name.split(".")[1], name.split(".")[1])
    with pytest.raises(InputError, match="a document of more than 1,000,000 bytes; split it"):
        list(read_documents({"source": source, "path": str(tmp_path / name)}))


@pytest.mark.parametrize("path", ["a**b", "a/**.jsonl", "x" * 300, "a\x00b"])
def test_paths_that_the_system_can_t_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"corpus\.path|no file matches|does not exist"):
        list(read_documents({"source": "jsonl", "path": path}))
    with pytest.raises(InputError, match=r"activations\.path"):
        open_source({"format": "parquet", "path": path, "n_latents": 3})


# tables


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["doc_id", "doc_id"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="two columns of the name 'doc_id'"):
        open_table(tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", [pa.uint8(), pa.uint16(), pa.uint64(), pa.int64()])
def test_unsigned_numbers_with_unknown_ones_among_them(kind: pa.DataType) -> None:
    table = pa.table({"position_in_doc": pa.array([0, None, 7], kind)})
    found = nullable_column(table, "position_in_doc", source="a.parquet", first_row=0)
    assert found.tolist() == [0, -1, 7] and found.dtype == np.int32


def test_texts_of_tokens_that_are_no_text(tmp_path: Path) -> None:
    broken = pa.array([b"\xff", b"ok"]).view(pa.string())
    for columns in ({"token": broken}, {"token": broken, "token_id": [0, 1]}):
        pq.write_table(pa.table(columns), tmp_path / "tokens.parquet")
        with pytest.raises(InputError, match="bytes that are not UTF-8"):
            read_token_texts(tmp_path / "tokens.parquet", 2, [])


@pytest.mark.parametrize("number", [-1, 2**31, 2**62])
def test_ids_of_tokens_out_of_range(tmp_path: Path, number: int) -> None:
    pq.write_table(pa.table({"token": ["a"], "token_id": [number]}), tmp_path / "tokens.parquet")
    with pytest.raises(InputError, match=f"token_id holds {number}; give numbers from 0"):
        read_token_texts(tmp_path / "tokens.parquet", 1, [])


def test_a_token_of_any_length_has_a_short_name() -> None:
    vocab = pa.Table.from_arrays([pa.array([0], pa.int32()), pa.array(["\x00" * 5_000_000], pa.string())], schema=VOCAB)
    assert len(TokenNames(vocab).names([0])[0]) <= LONGEST


# arrays


def matrix(folder: Path, kind: str = "csr", **changes: Any) -> dict[str, Any]:
    """Settings of an import of a small matrix, some of whose arrays are others."""
    sound = scipy.sparse.csr_array(np.eye(4, dtype=np.float32)).asformat(kind)
    scipy.sparse.save_npz(folder / "matrix.npz", sound)
    arrays = dict(np.load(folder / "matrix.npz")) | changes
    np.savez(folder / "matrix.npz", **arrays)
    return {"format": "csr", "path": str(folder / "matrix.npz"), "n_latents": 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": np.array(["csr", "csr"])}, "format ''"),
        ({"format": np.array(b"\xff")}, "format"),
        ({"shape": np.array(4)}, "shape has 0 dimensions"),
        ({"shape": np.array([4.5, 4.0])}, "shape holds float64"),
        ({"shape": np.array([-4, 4])}, "shape is -4"),
        ({"indices": np.array([0.5, 1, 2, 3])}, "indices holds float64"),
        ({"indices": np.zeros((4, 1), np.int32)}, "don't fit together"),
        ({"data": np.zeros(4, "m8[s]")}, "data holds timedelta64"),
        ({"indptr": np.zeros(5, "m8[s]")}, "indptr holds timedelta64"),
    ],
)
def test_matrices_of_strange_arrays(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    settings = matrix(tmp_path, **change)
    rows_told(settings)
    with pytest.raises(InputError, match=message):
        open_source(settings)


def test_a_column_matrix_that_claims_more_rows_than_any_memory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 1,000,000,000,000 rows for 4 entries"):
        open_source(matrix(tmp_path, "csc", shape=np.array([10**12, 4])))


@pytest.mark.parametrize("header", ["{[]: 1}", "(" * 5_000, "{'descr': '<f4'", "'", "{'descr': '<f4', 'shape': (1,)}"])
def test_headers_that_are_no_header(tmp_path: Path, header: str) -> None:
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(64)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged or no \.npy file"):
        read_array(tmp_path / "a.npy")


def test_a_decoder_whose_numbers_float32_can_t_hold(tmp_path: Path) -> None:
    decoder = np.ones((3, 2))
    decoder[1, 0] = 1e300
    np.save(tmp_path / "decoder.npy", decoder)
    with pytest.raises(InputError, match="row 1 holds infinite numbers or NaN, or numbers beyond float32"):
        read_decoder(tmp_path / "decoder.npy", n_latents=3)
