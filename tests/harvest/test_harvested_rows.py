"""Harvested rows against a plain computation: one context at a time, all hidden states, dense latents."""

import warnings
from functools import lru_cache

import numpy as np
import pytest
import torch
from harvest_bench import dense_rows
from tiny_models import N_LATENTS

from coactivation_manifolds.activations.activation_reader import read_manifest
from coactivation_manifolds.storage import read_table

STATE = {"blocks.0.hook_resid_pre": 0, "blocks.0.hook_resid_post": 1, "blocks.1.hook_resid_post": 2}


@lru_cache
def plain_model(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    return AutoTokenizer.from_pretrained(folder), model


def reference(bench, kind, sae_folder, *, hook="blocks.1.hook_resid_post", bos=True, centre=False, length=11):
    """Rows (doc_id, position, token_id) and dense latents, computed the slow way."""
    from sae_lens import SAE

    tokenizer, model = plain_model(bench.model(kind)["path"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sae = SAE.load_from_disk(sae_folder["path"])
    names, latents = [], []
    for doc, text in enumerate(bench.texts):
        ids = [tokenizer.convert_tokens_to_ids(word) for word in text.split()]
        for start in range(0, len(ids), length):
            own = ids[start : start + length]
            if len(names) >= 400:
                break
            with torch.no_grad():
                seen = torch.tensor([[0, *own]] if bos else [own])
                states = model(input_ids=seen, output_hidden_states=True).hidden_states
                x = states[STATE[hook]][0, 1 if bos else 0 :]
                latents.append(sae.encode(x - x.mean(-1, keepdim=True) if centre else x))
            names += [(doc, start + place, token) for place, token in enumerate(own)]
    return names, torch.cat(latents).numpy()


def check(rows, names, latents):
    assert list(zip(rows.doc_id, rows.position_in_doc, rows.token_id, strict=True)) == names
    assert rows.token_index.tolist() == list(range(len(names)))
    assert 0.02 < (latents > 0).mean() < 0.9
    np.testing.assert_allclose(dense_rows(rows), latents, rtol=2e-3, atol=1e-4)
    # what fires fires, but for values within rounding of a threshold
    assert np.mean((dense_rows(rows) > 0) != (latents > 0)) < 1e-3


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("gpt2", "standard"),
        ("gpt2", "jumprelu"),
        ("gpt2", "topk"),
        ("gemma2", "jumprelu"),
        ("gemma2", "topk"),
        ("gemma3_text", "jumprelu"),
        ("gemma3", "jumprelu"),
        ("llama", "standard"),
    ],
)
def test_every_architecture(bench, tmp_path, kind, architecture):
    sae = bench.sae(architecture)
    rows = bench.rows(tmp_path, model=bench.model(kind), sae=sae)
    check(rows, *reference(bench, kind, sae))


@pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post"])
def test_other_hooks(bench, tmp_path, hook):
    sae = bench.sae(hook_name=hook)
    check(bench.rows(tmp_path, sae=sae), *reference(bench, "gpt2", sae, hook=hook))


def test_without_bos(bench, tmp_path):
    sae = bench.sae(prepend_bos=False)
    rows = bench.rows(tmp_path, sae=sae)
    check(rows, *reference(bench, "gpt2", sae, bos=False))
    with_bos = bench.rows(tmp_path / "bos", sae=bench.sae())
    assert not np.allclose(dense_rows(rows), dense_rows(with_bos), atol=0.05)


def test_center_writing_weights(bench, tmp_path):
    sae = bench.sae(model_from_pretrained_kwargs={"center_writing_weights": True})
    check(bench.rows(tmp_path, sae=sae), *reference(bench, "gpt2", sae, centre=True))


@pytest.mark.parametrize("normalize", ["layer_norm", "constant_norm_rescale"])
def test_normalised_input(bench, tmp_path, normalize):
    sae = bench.sae(normalize=normalize)
    check(bench.rows(tmp_path, sae=sae), *reference(bench, "gpt2", sae))


def test_batch_size_and_shards_change_nothing(bench, tmp_path):
    from coactivation_manifolds.activations.activation_reader import read_shard

    whole = bench.rows(tmp_path / "one", batch_size=7, batches_per_part=1)
    bench.plan(tmp_path / "three", tokens_per_shard=150)
    shards = [read_shard(bench.harvest(tmp_path / "three", shard=shard)) for shard in range(3)]
    assert np.concatenate([shard.token_index for shard in shards]).tolist() == whole.token_index.tolist()
    np.testing.assert_allclose(
        np.concatenate([dense_rows(shard) for shard in shards]), dense_rows(whole), rtol=2e-3, atol=1e-4
    )


def test_packing_across_documents(bench, tmp_path):
    rows = bench.rows(tmp_path, corpus={"pack_across_documents": True})
    apart = bench.rows(tmp_path / "apart")
    n = min(rows.n_tokens, apart.n_tokens)
    for name in ("doc_id", "position_in_doc", "token_id"):
        np.testing.assert_array_equal(getattr(rows, name)[:n], getattr(apart, name)[:n])
    # the first context is the same, later ones see other documents
    first = int(np.flatnonzero(np.diff(apart.doc_id))[0]) + 1
    np.testing.assert_allclose(dense_rows(rows)[: min(first, 11)], dense_rows(apart)[: min(first, 11)], atol=2e-3)
    assert not np.allclose(dense_rows(rows)[:n], dense_rows(apart)[:n], atol=0.05)


def test_special_tokens_of_the_text(bench, tmp_path):
    from tiny_models import save_jsonl

    path = save_jsonl(tmp_path / "special.jsonl", ["w1 <eos> w2 nonsense w3", "<bos> w4"])
    corpus = {"path": str(path), "n_tokens": 7}
    rows = bench.rows(tmp_path / "dropped", corpus=corpus)
    assert rows.token_index.tolist() == [0, 2, 4, 6]
    assert rows.position_in_doc.tolist() == [0, 2, 4, 1]
    kept = bench.rows(tmp_path / "kept", corpus=corpus, keep_special_tokens=True)
    assert kept.token_index.tolist() == list(range(7))
    assert kept.token_id.tolist()[1] == 1
    np.testing.assert_array_equal(dense_rows(kept)[[0, 2, 4, 6]], dense_rows(rows))


@pytest.mark.parametrize(("n_latents", "kind"), [(65_536, "uint16"), (65_537, "uint32"), (131_072, "uint32")])
def test_id_types(bench, tmp_path, n_latents, kind):
    sae = bench.sae("topk", n_latents=n_latents)
    corpus = {"n_tokens": 20}
    rows = bench.rows(tmp_path, sae=sae, corpus=corpus)
    assert rows.feature_ids.dtype == kind
    assert rows.feature_ids.max() > 40_000
    table = read_table(tmp_path / "activations" / "shard=000000" / "part-00000.parquet")
    assert str(table.schema.field("feature_ids").type.value_type) == kind


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_model(bench, tmp_path, dtype):
    rows = bench.rows(tmp_path / "half", model=bench.model(dtype=dtype))
    full = bench.rows(tmp_path / "full")
    agreement = np.corrcoef(dense_rows(rows).ravel(), dense_rows(full).ravel())[0, 1]
    assert 0.99 < agreement < 1


def test_manifest(bench, tmp_path):
    bench.plan(tmp_path, tokens_per_shard=150)
    manifest = read_manifest(bench.harvest(tmp_path, shard=1))
    assert manifest["shard"] == 1
    assert manifest["n_latents"] == N_LATENTS
    assert manifest["hook_name"] == "blocks.1.hook_resid_post"
    assert manifest["guard_rails"]["n_tokens"] > 10
    assert manifest["guard_rails"]["mean_l0"] > 1
    assert manifest["notes"] == []
    assert set(manifest["fingerprint"]["corpus"]).isdisjoint({"n_tokens", "shard_tokens", "path"})
    assert "device" not in str(manifest["fingerprint"])
    assert manifest["tokenizer"]["bos_token_id"] == 0
