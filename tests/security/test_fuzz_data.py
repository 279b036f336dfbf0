"""Fuzzing the readers of corpora, decoders, SAE configurations, and of what a finished run of others holds."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import VALUES, almost, bounded, changed, examples, written
from hypothesis import given
from hypothesis import strategies as st

from coactivation_manifolds.activations.activation_reader import read_manifest, read_manifests
from coactivation_manifolds.activations.importers.cutting import open_source
from coactivation_manifolds.corpus.sources import read_documents
from coactivation_manifolds.models.describe import read_decoder
from coactivation_manifolds.models.sae_loader import read_config, scaling_factor
from coactivation_manifolds.storage import read_array, read_json
from coactivation_manifolds.verify.records import Records

N_LATENTS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("given")


def as_json(right: Any) -> st.SearchStrategy[bytes]:
    """A JSON file with changed bytes, or with other values."""
    return changed([json.dumps(right).encode()]) | almost(right).map(lambda value: json.dumps(value).encode())


LINES = "".join(json.dumps({"text": f"wörd {i} \ud83d\ude00" * i, "n": i}) + "\n" for i in range(6)).encode()
TEXT_TABLE = pa.table({"text": [f"wörd {i}" for i in range(50)], "n": list(range(50))})
DICTIONARY = pa.table({"text": pa.array(["a", "b", None] * 20).dictionary_encode()})
TEXT_TABLES = [TEXT_TABLE, DICTIONARY]
CORPORA = {
    "jsonl": [LINES, LINES.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + LINES],
    "jsonl.gz": [gzip.compress(LINES, mtime=0)],
    "txt": [LINES, "wörter\n".encode("utf-16")],
    "txt.gz": [gzip.compress(LINES, mtime=0)],
    "parquet": [written(lambda file, t=t: pq.write_table(t, file, compression="none")) for t in TEXT_TABLES],
}


@examples(400)
@given(
    given_file=st.sampled_from(sorted(CORPORA)).flatmap(lambda kind: st.tuples(st.just(kind), changed(CORPORA[kind]))),
    policy=st.sampled_from(["error", "replace", "skip"]),
)
def test_changed_bytes_of_a_corpus(folder: Path, given_file: tuple[str, bytes], policy: str) -> None:
    kind, content = given_file
    path = folder / f"corpus.{kind}"
    path.write_bytes(content)
    source = {"txt": "text"}.get(kind.removesuffix(".gz"), kind.removesuffix(".gz"))
    with bounded():
        for document in read_documents({"source": source, "path": str(path), "invalid_utf8": policy}):
            document.text.encode("utf-8")


@examples()
@given(value=VALUES, key=st.sampled_from(["text", "other"]))
def test_lines_of_any_json(folder: Path, value: Any, key: str) -> None:
    line = json.dumps({key: value}) if key == "text" else json.dumps(value)
    (folder / "corpus.jsonl").write_text(line + "\n", encoding="utf-8")
    with bounded():
        for document in read_documents({"source": "jsonl", "path": str(folder / "corpus.jsonl")}):
            document.text.encode("utf-8")


# decoders and SAEs

KINDS = ("f4", "f8", "i4")
DECODERS = [written(lambda file, kind=kind: np.save(file, np.ones((N_LATENTS, 4), kind))) for kind in KINDS]
HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 4), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (60, 4), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 99999999999999999999), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (60, 4), }",
    "[" * 200,
    "{[]: 1}",
]


@examples()
@given(
    content=changed(DECODERS)
    | changed([header.encode() for header in HEADERS]).map(
        lambda header: b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header[:65_535] + bytes(960)
    )
)
def test_changed_bytes_of_a_decoder(folder: Path, content: bytes) -> None:
    (folder / "decoder.npy").write_bytes(content)
    with bounded():
        read_array(folder / "decoder.npy")
    with bounded():
        assert np.isfinite(read_decoder(folder / "decoder.npy", n_latents=N_LATENTS)).all()
    with zipfile.ZipFile(folder / "rows.npz", "w") as archive:
        archive.writestr("token_indices.npy", content)
    with bounded():
        open_source({"format": "npz_shards", "path": str(folder / "rows.npz"), "n_latents": N_LATENTS})


SAE = {"architecture": "standard", "d_in": 4, "d_sae": 60, "metadata": {"hook_name": "blocks.1.hook_resid_pre"}}


@examples()
@given(content=as_json(SAE))
def test_the_configuration_of_an_sae(folder: Path, content: bytes) -> None:
    (folder / "cfg.json").write_bytes(content)
    (folder / "activation_scaler.json").write_bytes(content.replace(b"d_in", b"scaling_factor"))
    with bounded():
        read_config(folder)
    with bounded():
        assert scaling_factor(folder) > 0


# what a finished run of others holds

PART = {"file": "part-00000.parquet", "rows": 5, "entries": 9, "sha256": "0" * 64}
MANIFEST = {
    "format_version": 1,
    "shard": 0,
    "n_latents": 60,
    "n_tokens": 5,
    "n_entries": 9,
    "first_token_index": 0,
    "last_token_index": 4,
    "n_raised_to_subnormal": 0,
    "fingerprint": {"imported": "csr", "version": 2},
    "parts": [PART],
}


@examples()
@given(content=as_json(MANIFEST))
def test_manifests(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    (folder / "first.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    with bounded():
        read_json(folder / "manifest.json")
    with bounded():
        for part in read_manifest(folder / "manifest.json")["parts"]:
            assert (folder / part["file"]).parent == folder
    with bounded():
        read_manifests([folder / "first.json", folder / "manifest.json"])


RECORD = {
    "format_version": 1,
    "rule": "count_shard",
    "wildcards": {"experiment": "mine", "shard": "000000"},
    "params": {"settings": {"min_active": 1, "positions": None}},
    "versions": {"numpy": "2"},
    "inputs": [{"path": "results/mine/activations/shard=000000/manifest.json", "size": 3, "sha256": "0" * 64}],
    "outputs": [{"path": "results/mine/cooccurrence/shard=000000.parquet", "size": 3, "sha256": "0" * 64}],
}


@examples()
@given(content=as_json(RECORD))
def test_records_of_provenance(folder: Path, content: bytes) -> None:
    (folder / "mine/provenance").mkdir(parents=True, exist_ok=True)
    (folder / "mine/provenance/count_shard.000000.json").write_bytes(content)
    with bounded():
        records = Records(folder / "mine")
        for record in records:
            assert record.rule
            for path in [*record.inputs, *record.outputs]:
                assert ".." not in Path(path).parts
        records.of_file("cooccurrence/shard=000000.parquet")
