"""Documents, tokenizers and truth as files."""

import json

import numpy as np
import pytest
from training_data import TINY, tiny, write_corpus

from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.schemas import PLANTED_TRUTH
from coactivation_manifolds.storage import read_table
from coactivation_manifolds.training.contexts import document_contexts, stream_contexts, tokenize
from coactivation_manifolds.training.planted_corpus import (
    document_texts,
    draw_documents,
    optimal_losses,
    parse_texts,
    planted_processes,
    process_shares,
)
from coactivation_manifolds.training.recipes import read_documents, reference_losses
from coactivation_manifolds.training.tokenizers import END_OF_TEXT, load_tokenizer, train_byte_pair_tokenizer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(TINY, tmp_path_factory.mktemp("corpus"))


def test_the_same_seed_writes_the_same_bytes(corpus, tmp_path):
    again, other = write_corpus(TINY, tmp_path / "again"), write_corpus(TINY, tmp_path / "other", seed=1)
    files = ["training.jsonl", "harvest.jsonl", "truth.parquet", "tokenizer/tokenizer.json"]
    for name in [*files, "tokenizer/tokenizer_config.json"]:
        assert (corpus / name).read_bytes() == (again / name).read_bytes(), name
    for name in files[:3]:
        assert (corpus / name).read_bytes() != (other / name).read_bytes(), name


def test_training_and_harvest_documents_differ(corpus):
    training, harvest = (list(read_documents(corpus / f"{name}.jsonl")) for name in ("training", "harvest"))
    assert (len(training), len(harvest)) == (80, 20)
    assert not set(training) & set(harvest)
    assert {len(text.split()) for text in training + harvest} == {15}


def test_every_word_is_one_token_and_nothing_is_unknown(corpus):
    tokenizer = load_tokenizer(corpus / "tokenizer")
    texts = list(read_documents(corpus / "training.jsonl"))
    ids = tokenize(texts, tokenizer)
    assert all(len(document) == 15 for document in ids)
    assert not {tokenizer.bos_token_id, tokenizer.unk_token_id} & {token for document in ids for token in document}
    assert tokenizer.convert_ids_to_tokens(ids[0]) == texts[0].split()
    assert len(tokenizer) == 16 + 9 + 64 + 2


def test_documents_hold_nothing_of_the_truth(corpus):
    for name in ("training", "harvest"):
        lines = (corpus / f"{name}.jsonl").read_text().splitlines()
        assert all(set(json.loads(line)) == {"text"} for line in lines)


def test_the_truth_has_one_row_for_each_harvested_word(corpus):
    truth = read_table(corpus / "truth.parquet")
    assert truth.schema.equals(PLANTED_TRUTH)
    np.testing.assert_array_equal(truth.column("doc_id").to_numpy(), np.repeat(np.arange(20), 15))
    np.testing.assert_array_equal(truth.column("position_in_doc").to_numpy(), np.tile(np.arange(15), 20))
    frame = truth.to_pylist()
    for row in frame:
        on_ring, on_simplex = row["process"] == "wind", row["process"] == "mood"
        assert (row["cos"] is not None) == on_ring == (row["sin"] is not None)
        assert (row["p1"] is not None) == on_simplex
        if on_ring:
            assert np.hypot(row["cos"], row["sin"]) <= 1 + 1e-9
        if on_simplex:
            assert row["p1"] + row["p2"] + row["p3"] == pytest.approx(1)
    assert {row["process"] for row in frame} >= {"wind", "mood"}


@pytest.mark.parametrize("simplex", ["filled", "mess3"])
def test_texts_tell_their_process_and_words(simplex):
    settings = tiny(planted={"simplex": simplex})["planted"]
    processes = planted_processes(settings, seed=4)
    shares = process_shares(settings, processes)
    assert shares.sum() == pytest.approx(1)
    documents = draw_documents(processes, shares, n_documents=40, n_words=9, seed=[4, 1])
    parsed = parse_texts(document_texts(documents, processes), processes)
    np.testing.assert_array_equal(parsed.process, documents.process)
    np.testing.assert_array_equal(parsed.words, documents.words)


def test_shares_of_processes_are_kept():
    processes = planted_processes(TINY["planted"], seed=0)
    shares = process_shares(TINY["planted"], processes)
    documents = draw_documents(processes, shares, n_documents=20_000, n_words=1, seed=[0, 1])
    found = np.bincount(documents.process, minlength=len(processes)) / 20_000
    np.testing.assert_allclose(found, shares, atol=0.015)


def test_the_perfect_observer_also_learns_the_process_from_the_first_word(corpus):
    processes = planted_processes(TINY["planted"], seed=0)
    shares = process_shares(TINY["planted"], processes)
    documents = draw_documents(processes, shares, n_documents=30, n_words=4, seed=[0, 1])
    losses = optimal_losses(documents, processes, shares)
    for row, (process, words) in enumerate(zip(documents.process, documents.words, strict=True)):
        one = processes[process]
        first = shares[process] * (one.initial @ one.emission)[words[0]]
        assert losses[row, 0] == pytest.approx(-np.log(first))


def test_reference_losses_group_the_documents(corpus):
    texts = list(read_documents(corpus / "training.jsonl"))
    reference = reference_losses(TINY, texts, seed=0)
    groups = [reference[name] for name in ("ring", "simplex", "background")]
    np.testing.assert_array_equal(np.sort(np.concatenate(groups)), np.arange(80))
    assert reference["losses"].shape == (80, 15)
    assert reference_losses({"recipe": "python_docs"}, texts, seed=0) is None


def test_an_unknown_recipe_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r'training.recipe is "plantet" \(did you mean "planted"\?\)'):
        write_corpus({**TINY, "recipe": "plantet"}, tmp_path)


def test_a_damaged_file_of_documents_is_told(tmp_path):
    (tmp_path / "documents.jsonl").write_text('{"text": "a"}\n{"tex')
    with pytest.raises(InputError, match=r"documents.jsonl is missing or damaged"):
        list(read_documents(tmp_path / "documents.jsonl"))


def test_contexts_of_documents_begin_with_the_special_token_and_hold_one_document():
    contexts = document_contexts([[1, 2, 3, 4, 5], [6], []], context_length=4, bos=0)
    np.testing.assert_array_equal(contexts.token_ids, [[0, 1, 2, 3], [0, 4, 5, 0], [0, 6, 0, 0]])
    np.testing.assert_array_equal(contexts.lengths, [4, 3, 2])
    np.testing.assert_array_equal(contexts.token_ids[contexts.mask], [1, 2, 3, 4, 5, 6])


def test_contexts_of_a_stream_are_full():
    contexts = stream_contexts([[1, 2], [3], [4, 5, 6]], context_length=4, bos=0)
    np.testing.assert_array_equal(contexts.token_ids, [[0, 1, 2, 0], [0, 3, 0, 4], [0, 5, 6, 0]])
    assert contexts.mask.sum() == 9
    with pytest.raises(InputError, match="fewer than one context"):
        stream_contexts([[1]], context_length=4, bos=0)


def test_the_byte_pair_tokenizer_knows_all_text():
    texts = ["The naive array, the naïve array.\n\n    Returns\n    -------\n    array of shape (n, 2)"] * 3
    tokenizer = train_byte_pair_tokenizer(texts, vocabulary_size=290)
    for text in (texts[0], "πß 漢字 \x00\t \u202e", ""):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.get_vocab_size() == 290
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
